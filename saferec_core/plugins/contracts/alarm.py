"""What an alarm declares, what it is given and what it returns. Needs no torch."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

__all__ = ["WINDOW", "Alarm", "LogRow", "earlier_and_recent", "recent", "values_of"]

LogRow = Mapping[str, float]
"""The figures of one row of ``metrics.jsonl``, ``step`` among them; ``docs/logging.md`` names them."""

WINDOW = 3
"""Logged rows that are averaged before they are judged; a single one may be a matter of chance."""


class Alarm(ABC):
    """Reads what a training run logs and says when it means that the run is going wrong.

    An alarm is a pure function of the log, without a state of its own: a resumed run then raises the same
    alarms as one that was never interrupted.
    """

    figures: ClassVar[tuple[str, ...]] = ()
    """Figures that it reads. ``reward/`` stands for all whose name begins so. It is not asked before one of
    them has been logged; none: it is always asked."""

    stops: ClassVar[bool] = True
    """Whether it ends a run with ``--stop-on-alarm``; False where the run may well be healthy."""

    @abstractmethod
    def __call__(self, log: Sequence[LogRow]) -> str | None:
        """Return a sentence if something is wrong at the last row, else None.

        The sentence says what was seen, what it means and which setting to change.

        Args:
            log: Every row of the stage so far, the oldest first; at least one.
        """


def values_of(log: Sequence[LogRow], figure: str) -> list[float]:
    """Return the values of a figure, oldest first; rows without it, and NaN, are left out."""
    return [row[figure] for row in log if row.get(figure, math.nan) == row.get(figure)]


def recent(log: Sequence[LogRow], figure: str) -> float | None:
    """Return the mean of a figure over the last rows that have it; None before there are ``WINDOW``."""
    values = values_of(log, figure)
    return _mean(values[-WINDOW:]) if len(values) >= WINDOW else None


def earlier_and_recent(log: Sequence[LogRow], figure: str) -> tuple[float, float] | None:
    """Return the mean of a figure over the first and the last rows; None while the two would overlap."""
    values = values_of(log, figure)
    return (_mean(values[:WINDOW]), _mean(values[-WINDOW:])) if len(values) >= 2 * WINDOW else None


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
