"""Which titles of the catalog may be shown under which constraints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from saferec_core.data.rows import Row
from saferec_core.data.titles import Title
from saferec_core.plugins.contracts.oracle import Oracle, Question, ask, columns_for
from saferec_core.plugins.contracts.record_columns import RecordColumns

__all__ = ["SafeTitles", "Standing"]

_BATCH = 1 << 13
_REMEMBERED_BYTES = 1 << 26
"""Standings that are remembered before all are forgotten."""

Mask = npt.NDArray[np.bool_]


class Standing(NamedTuple):
    """How the titles of the catalog stand under some constraints; a byte for each title, 0 or 1."""

    violating: bytes
    allowed: bytes
    """Whether the title may fill a list."""


class SafeTitles:
    """Judges the whole catalog once for each trait, and combines the verdicts for each set of constraints."""

    def __init__(
        self, titles: Sequence[Title], oracle: Oracle | None, *, usable: bytes, unknown_allowed: bool
    ) -> None:
        """Judge *titles*.

        Args:
            titles: The catalog.
            oracle: Judges violations; without one nothing is a violation.
            usable: Whether a title may fill a list at all, a byte for each.
            unknown_allowed: Whether titles that the oracle does not know may fill a list.
        """
        self._titles = titles
        self._oracle = oracle
        self._usable: Mask = np.frombuffer(usable, dtype=np.bool_)
        self._unknown_allowed = unknown_allowed
        self._traits: dict[tuple[str, RecordColumns], tuple[Mask, Mask]] = {}
        self._standings: dict[tuple[tuple[str, ...], RecordColumns], Standing] = {}

    def under(self, constraints: tuple[str, ...], row: Row) -> Standing:
        """Return the standing of the titles for a row under *constraints*, which the oracle must know."""
        if self._oracle is None:
            constraints = ()
        columns = columns_for(self._oracle, row)
        standing = self._standings.get((constraints, columns))
        if standing is None:
            violating, allowed = np.zeros_like(self._usable), self._usable
            for trait in constraints:
                bad, known = self._judged(trait, columns)
                violating = violating | bad
                allowed = allowed & ~bad & (known | self._unknown_allowed)
            if len(self._standings) * 2 * len(self._titles) > _REMEMBERED_BYTES:
                self._standings.clear()
            standing = Standing(violating.tobytes(), allowed.tobytes())
            self._standings[constraints, columns] = standing
        return standing

    def _judged(self, trait: str, columns: RecordColumns) -> tuple[Mask, Mask]:
        """Return which titles violate the trait, and which the oracle knows."""
        if (trait, columns) not in self._traits and self._oracle is not None:
            asked = (trait,), columns
            violating: list[bool] = []
            known: list[bool] = []
            for start in range(0, len(self._titles), _BATCH):
                questions = [Question(*title, *asked) for title in self._titles[start : start + _BATCH]]
                for verdict in ask(self._oracle, questions):
                    violating.append(verdict.known and bool(verdict.violated))
                    known.append(verdict.known)
            masks = np.array(violating, dtype=np.bool_), np.array(known, dtype=np.bool_)
            self._traits[trait, columns] = masks
        return self._traits[trait, columns]
