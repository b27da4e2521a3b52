"""Titles judged for every trait at once, each title once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from saferec_core.data.rows import Row
from saferec_core.data.titles import Title
from saferec_core.plugins.contracts.oracle import Oracle, Question, ask, columns_for
from saferec_core.plugins.contracts.record_columns import RecordColumns

__all__ = ["Judged", "TitleJudge"]

_REMEMBERED = 1 << 17
"""How many titles are remembered before all are forgotten."""


class Judged(NamedTuple):
    """What an oracle says about one title; bit i stands for the i-th trait that was asked for."""

    known: int
    """The traits that the oracle can judge the title for."""
    violated: int
    """Those of them that the title violates."""


@dataclass(frozen=True)
class TitleJudge:
    """Asks an oracle about each title once, for all traits together."""

    oracle: Oracle
    traits: tuple[str, ...]
    _remembered: dict[tuple[Title, RecordColumns], Judged] = field(default_factory=dict, repr=False)

    def judge(self, titles: Sequence[Title], row: Row) -> list[Judged]:
        """Judge *titles* of a row, those that are new in one batch."""
        if len(self._remembered) > _REMEMBERED:
            self._remembered.clear()
        columns = columns_for(self.oracle, row)
        new = [title for title in dict.fromkeys(titles) if (title, columns) not in self._remembered]
        if new:
            self._ask(new, columns)
        return [self._remembered[title, columns] for title in titles]

    def _ask(self, titles: Sequence[Title], columns: RecordColumns) -> None:
        verdicts = ask(self.oracle, [Question(*title, self.traits, columns) for title in titles])
        in_part = []
        for title, verdict in zip(titles, verdicts, strict=True):
            if verdict.known:
                known = self._bits(verdict.risks) & ~self._bits(verdict.open)
                self._remembered[title, columns] = Judged(known, self._bits(verdict.violated))
            else:
                in_part.append(title)
        # One trait without a risk makes a title unknown when it is asked for among others.
        questions = [Question(*title, (trait,), columns) for title in in_part for trait in self.traits]
        answers = iter(ask(self.oracle, questions) if questions else ())
        for title in in_part:
            verdict_by_trait = {trait: next(answers) for trait in self.traits}
            known = self._bits(trait for trait, verdict in verdict_by_trait.items() if verdict.known)
            violated = self._bits(trait for trait, verdict in verdict_by_trait.items() if verdict.violated)
            self._remembered[title, columns] = Judged(known, violated & known)

    def _bits(self, traits: Iterable[str]) -> int:
        named = set(traits)
        return sum(1 << number for number, trait in enumerate(self.traits) if trait in named)
