"""Names of the baselines, for the command line, which does without numpy and torch."""

from __future__ import annotations

from pathlib import Path

__all__ = ["BASELINE_NAMES", "names_baseline"]

BASELINE_NAMES = ("popularity", "co-occurrence", "random")


def names_baseline(policy: str) -> bool:
    """Whether *policy* means a baseline, and not a folder of that name."""
    return policy in BASELINE_NAMES and not Path(policy).exists()
