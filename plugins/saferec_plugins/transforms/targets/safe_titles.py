"""Which titles of the catalog may be shown under which constraints."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from saferec_core.data.catalog import Catalog
from saferec_core.data.rows import Row
from saferec_core.plugins.contracts.entries import ask_about_entries
from saferec_core.plugins.contracts.oracle import Oracle, Verdict, ask, columns_for
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
        self, catalog: Catalog, oracle: Oracle | None, *, usable: bytes, unknown_allowed: bool
    ) -> None:
        """Judge the titles of a catalog.

        Args:
            catalog: The titles.
            oracle: Judges violations; without one nothing is a violation.
            usable: Whether a title may fill a list at all, a byte for each.
            unknown_allowed: Whether titles that the oracle does not know may fill a list.
        """
        self._catalog = catalog
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
            if len(self._standings) * 2 * len(self._catalog) > _REMEMBERED_BYTES:
                self._standings.clear()
            standing = Standing(violating.tobytes(), allowed.tobytes())
            self._standings[constraints, columns] = standing
        return standing

    def _judged(self, trait: str, columns: RecordColumns) -> tuple[Mask, Mask]:
        """Return which titles violate the trait, and which the oracle knows."""
        if (trait, columns) not in self._traits and self._oracle is not None:
            catalog, put = self._catalog, partial(ask, self._oracle)
            verdicts: list[Verdict] = []
            for start in range(0, len(catalog), _BATCH):
                positions = range(start, min(start + _BATCH, len(catalog)))
                verdicts += ask_about_entries(put, catalog, positions, (trait,), columns)
            violating = [verdict.known and bool(verdict.violated) for verdict in verdicts]
            known = [verdict.known for verdict in verdicts]
            masks = np.array(violating, dtype=np.bool_), np.array(known, dtype=np.bool_)
            self._traits[trait, columns] = masks
        return self._traits[trait, columns]
