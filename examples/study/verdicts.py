"""What can be concluded about a finding from the results of a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from grid import Finding, Statement

__all__ = ["Tested", "Verdict", "difference", "holm", "verdict_of"]

RESAMPLES = 4000
LEVEL = 0.05

Vector = npt.NDArray[np.float64]
Verdict = Literal["replicated", "refuted", "not decidable"]


@dataclass(frozen=True)
class Tested:
    """A statement with what was measured."""

    statement: Statement
    estimate: float
    """Mean over seeds and users of arm minus the other."""
    low: float
    high: float
    """95 % interval of a bootstrap over seeds and, within each, users."""
    p: float
    """Of the claim: how often the bootstrap lies on the other side, twice unless there is a margin."""
    seeds: int


def difference(statement: Statement, pairs: Sequence[tuple[Vector, Vector]], seed: int = 0) -> Tested:
    """Test a statement.

    Args:
        statement: What is claimed.
        pairs: For each seed, the metric of the arm and of the other one, by user; NaN where it has no value.
        seed: Of the bootstrap.
    """
    rng = np.random.default_rng(seed)
    by_user = [(arm - other)[~np.isnan(arm - other)] for arm, other in pairs]
    by_user = [values for values in by_user if len(values)]
    if not by_user:
        return Tested(statement, np.nan, np.nan, np.nan, 1.0, 0)
    number = len(by_user)
    drawn = rng.integers(number, size=(RESAMPLES, number))
    means = np.empty((RESAMPLES, number))
    for which, values in enumerate(by_user):
        weights = rng.multinomial(len(values), np.full(len(values), 1 / len(values)), drawn.shape)
        means = np.where(drawn == which, weights @ values / len(values), means)
    resampled = means.mean(1)
    low, high = np.quantile(resampled, [0.025, 0.975])
    sign = -1.0 if statement.claim in ("lower", "not higher") else 1.0
    tests_a_margin = statement.claim.startswith("not")
    against = (sign * resampled <= (-statement.margin if tests_a_margin else 0.0)).sum()
    p = (1 + against) / (RESAMPLES + 1)
    estimate = float(np.mean([values.mean() for values in by_user]))
    return Tested(
        statement, estimate, float(low), float(high), min(1.0, p if tests_a_margin else 2 * p), number
    )


def holm(values: Sequence[float]) -> list[float]:
    """Adjust p values for how many there are (Holm's step-down procedure)."""
    adjusted, largest = [0.0] * len(values), 0.0
    for position, which in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        largest = max(largest, min(1.0, (len(values) - position) * values[which]))
        adjusted[which] = largest
    return adjusted


def verdict_of(finding: Finding, tested: Mapping[int, Tested], p: Mapping[int, float]) -> Verdict:
    """Judge a finding by its statements, each under its number.

    Replicated if every statement holds, refuted if the interval of one lies wholly on the other side.
    """
    numbers = range(len(finding.statements))
    if any(_contradicted(tested[number]) for number in numbers):
        return "refuted"
    return "replicated" if all(p[number] < LEVEL for number in numbers) else "not decidable"


def _contradicted(test: Tested) -> bool:
    claim, margin = test.statement.claim, test.statement.margin
    if test.seeds == 0:
        return False
    return {
        "lower": test.low > 0,
        "higher": test.high < 0,
        "not lower": test.high < -margin,
        "not higher": test.low > margin,
    }[claim]
