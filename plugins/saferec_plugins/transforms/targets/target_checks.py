"""What every completion is held against before its row is passed on."""

from __future__ import annotations

from collections.abc import Sequence

from saferec_core.data.records import Record
from saferec_core.data.titles import Title, normal_form
from saferec_core.plugins.contracts.oracle import Oracle, Question, ask
from saferec_plugins.transforms.targets.list_filling import Place, Source

__all__ = ["OracleCheck", "against_the_user"]

_REMEMBERED_BYTES = 1 << 25
"""Answers that are remembered, a byte each, before all are forgotten."""


def against_the_user(titles: Sequence[Title], seen: Sequence[Title | str], tolerance: int) -> list[str]:
    """Return what is wrong with a list for somebody who has *seen* these titles; nothing if all is well."""
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
    """Asks the oracle for all constraints at once; about a title under the same constraints once."""

    def __init__(
        self, titles: Sequence[Title], oracle: Oracle, *, unknown_allowed: bool, unknown_truth_allowed: bool
    ) -> None:
        """Prepare to ask.

        Args:
            titles: The catalog.
            oracle: What tells violations.
            unknown_allowed: Whether titles may be listed that the oracle does not know.
            unknown_truth_allowed: Whether at least those of the ground truth may.
        """
        self._titles = titles
        self._oracle = oracle
        self._unknown_allowed = unknown_allowed
        self._unknown_truth_allowed = unknown_truth_allowed
        self._fine: dict[tuple[str, ...], bytearray] = {}

    def problems(self, places: Sequence[Place], constraints: tuple[str, ...]) -> list[str]:
        """Return what the oracle has against a list for somebody with these *constraints*."""
        fine = self._fine_under(constraints)
        new = [place for place in places if not fine[place.title]]
        if not new:
            return []
        verdicts = ask(self._oracle, [Question(*self._titles[place.title], constraints) for place in new])
        problems = []
        for place, verdict in zip(new, verdicts, strict=True):
            title = self._titles[place.title]
            if verdict.known and verdict.violated:
                problems.append(f"holds {title}, which violates {', '.join(verdict.violated)}")
            elif verdict.known or self._unknown_allowed:
                fine[place.title] = True
            elif place.source is not Source.TRUTH or not self._unknown_truth_allowed:
                problems.append(f"holds {title}, which the oracle does not know")
        return problems

    def _fine_under(self, constraints: tuple[str, ...]) -> bytearray:
        """Return for each title, a byte each, whether it was asked for and nothing is against it."""
        if constraints not in self._fine:
            if len(self._fine) * len(self._titles) > _REMEMBERED_BYTES:
                self._fine.clear()
            self._fine[constraints] = bytearray(len(self._titles))
        return self._fine[constraints]
