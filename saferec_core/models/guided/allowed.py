"""Which titles of the catalog a user may be shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from saferec_core.data.records import Record
from saferec_core.data.titles import name_keys
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.plugins.contracts.record_columns import RecordColumns

__all__ = ["Allowance", "AllowedTitles", "UnknownTitles"]

UnknownTitles = Literal["allow", "forbid"]
"""Whether a title that the oracle cannot judge under the user's constraints may be shown."""

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Allowance:
    """The titles that one user may be shown: those of *safe* without those of *seen*."""

    asked: tuple[tuple[str, ...], RecordColumns]
    """What *safe* depends on, and users share: the constraints, and the columns that the oracle needs."""
    safe: Mask
    """(C,): titles of the catalog that are not known to violate the constraints."""
    seen: tuple[int, ...]
    """Positions in the catalog, sorted."""


class AllowedTitles:
    """Works out allowances, after one pass of the oracle over the catalog for all traits that it lists."""

    def __init__(self, judge: Judge, unknown: UnknownTitles = "allow") -> None:
        """Ask nothing yet.

        Args:
            judge: Catalog and oracle; without an oracle nothing is known to violate anything.
            unknown: Whether a title that the oracle cannot judge may be shown.
        """
        self._judge = judge
        self._unknown = unknown
        self._by_constraints: dict[tuple[tuple[str, ...], RecordColumns], Mask] = {}

    def of(self, record: Record) -> Allowance:
        """Return what the user of *record* may be shown."""
        asked = record.constraints, self._judge.columns(record)
        return Allowance(asked, self._safe(*asked), self._seen(record))

    def _safe(self, constraints: tuple[str, ...], columns: RecordColumns) -> Mask:
        if (constraints, columns) not in self._by_constraints:
            safe = np.ones(len(self._judge.catalog), np.bool_)
            for trait in constraints if self._judge.oracle is not None else ():
                decided, violated = self._judge.standing(trait, columns)
                safe &= ~violated.numpy()
                if self._unknown == "forbid":
                    safe &= decided.numpy()
            self._by_constraints[constraints, columns] = safe
        return self._by_constraints[constraints, columns]

    def _seen(self, record: Record) -> tuple[int, ...]:
        """Return what a list would be charged for as seen, and what a seen title means."""
        catalog, record = self._judge.catalog, self._judge.meant(record)
        positions = set()
        for title in record.seen_titles:
            name, year = (title, None) if isinstance(title, str) else title
            if year is not None and (match := catalog.find(name, year)) is not None:
                positions.add(match)
            for key in name_keys(name):
                for named in catalog.named(key.form):
                    if record.has_seen(*catalog.titles[named.entry], catalog.year_tolerance):
                        positions.add(named.entry)
        return tuple(sorted(positions))
