"""Events in the life of a run, as lifecycle hooks are given them; plain data that nothing else reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = [
    "CheckpointSaved",
    "EvaluationFinished",
    "Event",
    "RolloutsScored",
    "RunFinished",
    "RunStarted",
]


@dataclass(frozen=True)
class RunStarted:
    """A run, or a run that is resumed, is about to train."""

    stage: str
    """``"train"`` or ``"sft"``."""
    folder: Path
    """The run's folder."""
    settings: Mapping[str, Any]
    """The resolved configuration, as JSON has it."""


@dataclass(frozen=True)
class RolloutsScored:
    """A generation batch was rewarded, one of those that ``rollouts.jsonl`` keeps (``rollout_steps``)."""

    step: int
    """Optimizer step, from 1."""
    rows: Sequence[Mapping[str, Any]]
    """A row per completion of all processes, as ``rollouts.jsonl`` has it."""


@dataclass(frozen=True)
class CheckpointSaved:
    """A checkpoint is whole on disk."""

    step: int
    folder: Path


@dataclass(frozen=True)
class EvaluationFinished:
    """A policy was evaluated on the held-out records."""

    when: str
    """``"before"`` or ``"after"`` the training."""
    decoding: str
    """``"greedy"`` or ``"sampled"``."""
    metrics: Mapping[str, tuple[float, float, float] | None]
    """Mean and 95% interval by column, such as ``recall@10``; None where there is no value."""


@dataclass(frozen=True)
class RunFinished:
    """A run is complete; one that is stopped or fails does not get here."""

    folder: Path


Event = RunStarted | RolloutsScored | CheckpointSaved | EvaluationFinished | RunFinished
