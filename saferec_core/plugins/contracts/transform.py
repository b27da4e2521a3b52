"""Dataset transforms: rows in, rows out, and an account of what was lost on the way."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from random import Random
from typing import Any, ClassVar

from saferec_core.data.rows import Row
from saferec_core.errors import ConfigError, DataError, PluginError
from saferec_core.plugins.calls import calling, named, undisturbed, yielded_by
from saferec_core.plugins.endless import check_end
from saferec_core.plugins.time_limits import still_working

__all__ = [
    "Counted",
    "Outcome",
    "Rejected",
    "Removed",
    "RowCounts",
    "Surveying",
    "Transform",
    "fault_of",
    "rng_of",
    "transformed",
]


@dataclass(frozen=True, slots=True)
class Removed:
    """A row that is left out on purpose; kept beside the output with the evidence."""

    row: Row
    reason: str
    """Why, in words that are the same for all rows left out for this reason; they are counted."""
    evidence: Any = None
    """What shows it, as JSON has it."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that cannot be used, such as one whose year is not a number; kept and counted.

    A transform may raise a :class:`~saferec_core.errors.DataError` instead: it rejects the row that
    the transform read last. Whoever reads ahead has to yield.
    """

    row: Row
    """The row as the transform was given it, the very object."""
    reason: str
    """What was expected, and what came."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Something that the step's report counts, such as a title that is not in the catalog."""

    what: str
    """In words that are the same each time."""
    times: float = 1
    """How often, or how much."""
    example: str | None = None
    """The report shows the first few different ones."""
    group: str = ""
    """What it is a part of, if anything, such as ``"ground truth"`` for titles that were found and titles
    that were not: the card shows each count of a group as a share of all of them."""


Outcome = Row | Removed | Rejected | Counted
"""What a transform may yield; a caller that wants only rows skips the rest."""


class Transform(ABC):
    """Turns rows into rows, a few at a time.

    A large file is cut into parts that are transformed one by one, in several processes, so what
    becomes of a row must not depend on the rows around it. What is drawn comes from :func:`rng_of`.
    """

    columns: ClassVar[tuple[str, ...]] = ()
    """Columns that every row must have; a row without one is rejected before it gets here."""
    group_column: ClassVar[str | None] = None
    """A column: neighboring rows that agree in it come in one call."""
    in_one_process: ClassVar[bool] = False
    """Whether all parts go through this process, as what is limited by a server may want."""
    incidental: ClassVar[frozenset[str]] = frozenset()
    """Options that change how the work is done, but not what comes out; a chain that is run again does
    not repeat a step for them."""

    @abstractmethod
    def __call__(self, rows: Iterable[Row]) -> Iterator[Outcome]:
        """Yield what becomes of the *rows*, in their order."""


class Surveying(Transform):
    """A transform that has to have seen all rows before it can transform any."""

    def __call__(self, rows: Iterable[Row]) -> Iterator[Outcome]:
        """Refuse to work without the survey; a class that can do without overrides this."""
        del rows
        raise ConfigError(f"{type(self).__name__} has to survey all rows first, and this caller did not")

    @abstractmethod
    def survey(self, rows: Iterable[Row]) -> Transform:
        """Read all *rows* once, in order, and return the transform to use; it is pickled."""


@dataclass
class RowCounts:
    """What became of the rows that a transform read within a run."""

    read: int = 0
    kept: int = 0
    removed: Counter[str] = field(default_factory=Counter)
    """By reason."""

    @property
    def vanished(self) -> int:
        """How many rows at least came to nothing without a reason."""
        return max(0, self.read - self.kept - self.removed.total())

    def reading(self, rows: Iterable[Row]) -> Iterator[Row]:
        """Count rows as they are read."""
        for row in rows:
            self.read += 1
            still_working()
            yield row

    def __str__(self) -> str:
        """Return a part of a sentence, such as ``kept 60 of 3000 rows (2940 removed: short)``."""
        lost = [f"{count} removed: {reason}" for reason, count in self.removed.most_common(3)]
        lost += [f"{self.vanished} vanished without a reason"] if self.vanished else []
        return f"kept {self.kept} of {self.read} rows" + (f" ({'; '.join(lost)})" if lost else "")


def transformed(
    transform: Transform, rows: Callable[[], Iterable[Row]], counts: RowCounts | None = None
) -> Iterator[Row]:
    """Apply a transform to all *rows*, for a run that reads them anyway; only rows are passed on.

    Args:
        transform: The transform.
        rows: Begins to read the rows; called a second time for a transform that surveys them.
        counts: Counts what becomes of the rows.

    Raises:
        DataError: A row was rejected.
        PluginError: The transform failed, or yielded something that is not an outcome; the message names it.
    """
    name = named("transform", transform)
    counts = RowCounts() if counts is None else counts
    if isinstance(transform, Surveying):
        with undisturbed(name), calling(name):
            transform = transform.survey(RowCounts().reading(rows()))
    chosen = transform
    looking = calling(name)  # at what it yields may itself fail
    for outcome in yielded_by(name, lambda: chosen(counts.reading(rows()))):
        with nullcontext() if type(outcome) is dict else looking:
            row = _row_of(outcome, name)
        if isinstance(outcome, Removed):
            counts.removed[outcome.reason] += 1
        if row is not None:
            counts.kept += 1
            yield row
        check_end(name, counts.kept, counts.read)


def _row_of(outcome: Outcome, transform: str) -> Row | None:
    if isinstance(outcome, dict):
        if strange := [name for name in outcome if type(name) is not str]:
            raise PluginError(
                f"{transform} must yield rows whose columns are text, but one is {strange[0]!r}"
            )
        return {**outcome}  # it may yield one dictionary again and again, filled anew
    if isinstance(outcome, Rejected):
        raise DataError(f"{transform} rejects a record: {outcome.reason}")
    if not isinstance(outcome, Removed | Counted):
        raise PluginError(f"{transform} must yield dictionaries, but yielded {outcome!r:.80}")
    if fault := fault_of(outcome):
        raise PluginError(f"{transform} yielded {type(outcome).__name__}, but {fault}")
    return None


def fault_of(outcome: Removed | Rejected | Counted) -> str:
    """Say what of an outcome is not as its class declares, empty if it all is: reports count and quote it."""
    for name in ("what", "group") if isinstance(outcome, Counted) else ("reason",):
        if not isinstance(text := getattr(outcome, name), str):
            return f"its {name} must be text, but is {text!r:.80}"
    times = outcome.times if isinstance(outcome, Counted) else 1
    if isinstance(times, bool) or not isinstance(times, int | float):
        return f"its times must be an int or float, but is {times!r:.80}"
    return ""


def rng_of(row: Row, seed: int, purpose: str) -> Random:
    """Return a generator that depends on the row alone, not on its position among others.

    Args:
        row: Identified by its ``id``; a row without one, by its prompt.
        seed: Seed of the run.
        purpose: What is drawn, so that two transforms do not draw alike.
    """
    own = row.get("id")
    if own is None:
        text = json.dumps(row.get("prompt"), sort_keys=True, ensure_ascii=False, default=str)
        own = hashlib.sha256(text.encode()).hexdigest()
    return Random(f"{seed} {purpose} {own}")
