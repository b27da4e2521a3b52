"""What the sections of a dataset card are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["CardAnswer", "CardCell", "CardSection", "Dialogue", "Table", "percent", "sizes"]

_MOST_SIZES = 12
"""Rows of a table of sizes; larger sizes count in the last."""


class CardAnswer(NamedTuple):
    """The outcome of a check."""

    text: str
    good: bool


CardCell = str | int | CardAnswer
"""Unescaped text, a number, or an answer."""


@dataclass(frozen=True)
class Table:
    """Figures; the first column names the row."""

    caption: str
    head: tuple[str, ...]
    rows: list[tuple[CardCell, ...]]


@dataclass(frozen=True)
class Dialogue:
    """A sample for display: the prompt, and what its answer is judged by."""

    split: str
    turns: Sequence[tuple[str, str]]
    """Role and content of each turn of the prompt, the last ones, shortened."""
    completion: str
    """The list to imitate; empty if there is none."""
    constraints: Sequence[str]
    ground_truth: Sequence[str]


@dataclass(frozen=True)
class CardSection:
    """A heading with what belongs under it."""

    title: str
    text: str = ""
    tables: list[Table] = field(default_factory=list)
    code: str = ""
    """Commands."""
    dialogues: Sequence[Dialogue] = ()
    charts: tuple[str, ...] = ()
    """Names of the charts that show the first table."""


def sizes(counts: Sequence[Counter[int]]) -> list[tuple[str, list[int]]]:
    """Align counts by size, one row per size from the smallest to the largest without gaps.

    Very large sizes share a row: ``"12+"``.
    """
    sizes_present = sorted(size for size in set().union(*counts) if any(count[size] for count in counts))
    if not sizes_present:
        return []
    first, last = sizes_present[0], sizes_present[-1]
    stop = min(last, first + _MOST_SIZES - 1)
    rows = [(str(size), [count[size] for count in counts]) for size in range(first, stop + 1)]
    if last > stop:
        above = [sum(times for size, times in count.items() if size >= stop) for count in counts]
        rows[-1] = (f"{stop}+", above)
    return rows


def percent(part: float, whole: float) -> str:
    """Write a share as a percentage; a share of nothing is an empty text."""
    return f"{100 * part / whole:.1f}%" if whole else ""
