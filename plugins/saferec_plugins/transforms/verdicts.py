"""Verdicts of the oracle on titles, trait by trait, with a cache."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from saferec_core.data.catalog import Catalog
from saferec_core.data.rows import Row
from saferec_core.data.titles import Title
from saferec_core.errors import DataError, near_misses
from saferec_core.plugins.contracts.entries import ask_by_entry, questions_of
from saferec_core.plugins.contracts.oracle import Oracle, Question, Verdict, ask, columns_for, explain

__all__ = ["Verdicts", "check_traits"]

_REMEMBERED = 1 << 17
"""How many verdicts are remembered before all are forgotten."""


def check_traits(constraints: Iterable[str], oracle: Oracle) -> None:
    """Refuse constraints that the oracle cannot judge.

    Raises:
        DataError: There are such constraints; the message suggests near misses.
    """
    for trait in constraints:
        if trait not in oracle.traits:
            known = sorted(oracle.traits)
            raise DataError(
                f"constraints: the oracle does not know the trait {trait!r}.{near_misses(trait, known)} "
                f"It knows: {', '.join(known)}"
            )


class Verdicts:
    """Verdicts on one title and one trait each.

    A title with several constraints violates them if it violates one; so asked, a title that is known
    for one trait and not for another is no longer unknown as a whole.
    """

    def __init__(self, oracle: Oracle, catalog: Catalog | None = None) -> None:
        """Ask *oracle*, about a title of the *catalog* by each of its names."""
        self.oracle = oracle
        self._catalog = catalog
        put = partial(ask, oracle)
        self._ask = put if catalog is None else partial(ask_by_entry, put, catalog)
        self._known: dict[Question, Verdict] = {}
        self._evidence: dict[Question, list[dict[str, Any]]] = {}

    def of(self, titles: Sequence[Title], traits: Sequence[str], row: Row) -> list[list[Verdict]]:
        """Return for each title of a row its verdicts in the order of the *traits*."""
        columns = columns_for(self.oracle, row)
        questions = [[Question(*title, (trait,), columns) for trait in traits] for title in titles]
        known = self._known
        if len(known) >= _REMEMBERED:
            known.clear()
        new = list(dict.fromkeys(asked for row in questions for asked in row if asked not in known))
        if new:
            known.update(zip(new, self._ask(new), strict=True))
        return [[known[asked] for asked in row] for row in questions]

    def evidence(self, title: Title, trait: str, row: Row) -> list[dict[str, Any]]:
        """Return the evidence for a verdict as JSON values; nothing if the oracle does not explain itself."""
        asked = Question(*title, (trait,), columns_for(self.oracle, row))
        if asked not in self._evidence:
            if len(self._evidence) >= _REMEMBERED:
                self._evidence.clear()
            about = [asked] if self._catalog is None else questions_of(self._catalog, asked)
            pieces = dict.fromkeys(piece for question in about for piece in explain(self.oracle, question))
            self._evidence[asked] = [
                {"source": piece.source, "risk": piece.risk, "detail": piece.detail} for piece in pieces
            ]
        return self._evidence[asked]
