"""Checks of every completion before its row is passed on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial, reduce

from saferec_core.data.catalog import Catalog
from saferec_core.data.records import Record
from saferec_core.data.rows import Row
from saferec_core.data.titles import Title, normal_form
from saferec_core.plugins.contracts.entries import ask_about_entries
from saferec_core.plugins.contracts.oracle import Oracle, Verdict, ask, columns_for
from saferec_core.plugins.contracts.record_columns import RecordColumns
from saferec_core.plugins.contracts.verdict import joined
from saferec_plugins.transforms.targets.list_filling import ListedTitle, Source

__all__ = ["OracleCheck", "against_the_user"]

_REMEMBERED_BYTES = 1 << 25
"""Answers that are remembered, a byte each, before all are forgotten."""


def against_the_user(titles: Sequence[Title], seen: Sequence[Title | str], tolerance: int) -> list[str]:
    """Return what is wrong with a list for somebody who has *seen* these titles; empty if it is valid."""
    user = Record(prompt=(), seen_titles=tuple(seen))
    forms = [(normal_form(name), year) for name, year in titles]
    problems = [
        f"holds {title}, which the user has seen"
        for title in titles
        if user.has_seen(title.name, title.year, tolerance)
    ]
    if len(set(forms)) < len(forms):
        problems.append("holds a title twice")
    return problems


class OracleCheck:
    """Asks the oracle about all constraints at once, and only once about the same title and constraints."""

    def __init__(
        self, catalog: Catalog, oracle: Oracle, *, unknown_allowed: bool, unknown_truth_allowed: bool
    ) -> None:
        """Prepare to ask.

        Args:
            catalog: The titles.
            oracle: Judges violations.
            unknown_allowed: Whether titles may be listed that the oracle does not know.
            unknown_truth_allowed: Whether at least those of the ground truth may.
        """
        self._catalog = catalog
        self._oracle = oracle
        self._unknown_allowed = unknown_allowed
        self._unknown_truth_allowed = unknown_truth_allowed
        self._fine: dict[tuple[tuple[str, ...], RecordColumns], bytearray] = {}

    def problems(self, listed: Sequence[ListedTitle], constraints: tuple[str, ...], row: Row) -> list[str]:
        """Return the oracle's objections to the list of a row under these *constraints*."""
        columns = columns_for(self._oracle, row)
        fine = self._fine_under(constraints, columns)
        new = [each for each in listed if not fine[each.title]]
        if not new:
            return []
        problems = []
        for each, verdict in zip(new, self._judged(new, constraints, columns), strict=True):
            title = self._catalog.titles[each.title]
            if verdict.known and verdict.violated:
                problems.append(f"holds {title}, which violates {', '.join(verdict.violated)}")
            elif verdict.known or self._unknown_allowed:
                fine[each.title] = True
            elif each.source is not Source.TRUTH or not self._unknown_truth_allowed:
                problems.append(f"holds {title}, which the oracle does not know")
        return problems

    def _judged(
        self, listed: Sequence[ListedTitle], constraints: tuple[str, ...], columns: RecordColumns
    ) -> list[Verdict]:
        """Ask about all constraints at once, then one by one about titles that are not known for all.

        Of one name the oracle may know one constraint, and of another the other.
        """
        about = partial(ask_about_entries, partial(ask, self._oracle), self._catalog)
        verdicts = list(about([each.title for each in listed], constraints, columns))
        unknown = [number for number, verdict in enumerate(verdicts) if not verdict.known]
        positions = [listed[number].title for number in unknown]
        by_trait = [about(positions, (trait,), columns) for trait in constraints] if unknown else []
        for number, *single in zip(unknown, *by_trait, strict=True):
            if all(verdict.known for verdict in single):
                verdicts[number] = reduce(joined, single)
        return verdicts

    def _fine_under(self, constraints: tuple[str, ...], columns: RecordColumns) -> bytearray:
        """Return, a byte for each title, whether it was judged and may be listed."""
        if (constraints, columns) not in self._fine:
            if len(self._fine) * len(self._catalog) > _REMEMBERED_BYTES:
                self._fine.clear()
            self._fine[constraints, columns] = bytearray(len(self._catalog))
        return self._fine[constraints, columns]
