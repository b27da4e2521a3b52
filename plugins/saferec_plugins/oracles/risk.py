"""Risk of a title for a trait, from content warnings and a parental guide."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["MOST_SEVERE", "parent_guide_risk", "trait_risk"]

MOST_SEVERE = 3
"""How severe a category of the parental guide can be."""


def parent_guide_risk(severities: Sequence[float], weights: Sequence[float]) -> float:
    """Return ``(w . s) / (3 * sum(w))``, in 0..1.

    Args:
        severities: ``s``, how severe the title is in each category of the parental guide, 0..3.
        weights: ``w``, how much each category matters to the trait; not negative.
    """
    total = sum(weights)
    if total == 0:
        return 0.0
    pairs = zip(weights, severities, strict=True)
    return sum(weight * severity for weight, severity in pairs) / (MOST_SEVERE * total)


def trait_risk(*, warning: bool, severities: Sequence[float], weights: Sequence[float]) -> float:
    """Return the larger of the warning's risk, 1 if it was raised, and the parental guide's."""
    return max(float(warning), parent_guide_risk(severities, weights))
