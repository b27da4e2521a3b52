"""Verdicts on the titles of a list, with their evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Literal

from saferec_core.data.records import Record
from saferec_core.data.titles import Title
from saferec_core.plugins.contracts.entries import questions_of
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.contracts.oracle import Evidence, Oracle, Question, explain
from saferec_core.plugins.contracts.parser import ParsedList

__all__ = ["JudgedTitle", "Standing", "judged_titles"]

Standing = Literal["safe", "unknown", "violation", "unjudged"]
"""The oracle's verdict on a title under the user's constraints; unjudged where there is no oracle."""


@dataclass(frozen=True)
class JudgedTitle:
    """One title of a list."""

    rank: int
    """From 1."""
    title: Title
    id: str | None
    """Its id in the catalog, if that has ids."""
    verdict: Standing
    violated: tuple[str, ...]
    """The constraints that the title violates."""
    evidence: tuple[Evidence, ...]
    """What the verdict rests on, the highest risk first; empty where the oracle cannot explain it."""
    in_catalog: bool
    repeated: bool
    """Whether an earlier rank has the same title."""
    seen: bool
    """Whether the user has seen it."""

    def as_data(self) -> dict[str, Any]:
        """Return the title as JSON has it."""
        return {
            "rank": self.rank,
            "title": self.title.name,
            "year": self.title.year,
            "id": self.id,
            "verdict": self.verdict,
            "violated": list(self.violated),
            "evidence": [item._asdict() for item in self.evidence],
            "in_catalog": self.in_catalog,
            "repeated": self.repeated,
            "seen": self.seen,
        }


def judged_titles(
    lists: Sequence[ParsedList], records: Sequence[Record], judge: Judge, num_ranks: int
) -> list[tuple[JudgedTitle, ...]]:
    """Judge the first *num_ranks* titles of each list under the constraints of its record."""
    judged = JudgedLists(lists, records, judge, num_ranks)
    return [_titles_of(judged, n) for n in range(len(lists))]


def _titles_of(judged: JudgedLists, n: int) -> tuple[JudgedTitle, ...]:
    record, oracle, catalog = judged.records[n], judged.judge.oracle, judged.judge.catalog
    titles = []
    for k, item in enumerate(judged.lists[n].items[: judged.num_ranks]):
        position, meant, _ = catalog.match(*item.title)
        standing: Standing = "unjudged"
        violated: tuple[str, ...] = ()
        evidence: tuple[Evidence, ...] = ()
        if oracle is not None:
            verdict = judged.verdicts[n][k]
            violated = tuple(verdict.violated) if verdict.known else ()
            standing = "violation" if violated else "safe" if verdict.known else "unknown"
            if record.constraints:
                question = Question(*meant, record.constraints, judged.judge.columns(record))
                evidence = _evidence(oracle, questions_of(catalog, question))
        titles.append(
            JudgedTitle(
                rank=k + 1,
                title=item.title,
                id=None if position is None else catalog.ids.get(position),
                verdict=standing,
                violated=violated,
                evidence=evidence,
                in_catalog=bool(judged.in_catalog[n, k]),
                repeated=bool(judged.repeated[n, k]),
                seen=bool(judged.seen[n, k]),
            )
        )
    return tuple(titles)


def _evidence(oracle: Oracle, questions: Sequence[Question]) -> tuple[Evidence, ...]:
    """Return what the oracle knows of a title by all its names, the highest risk first."""
    known = dict.fromkeys(piece for question in questions for piece in explain(oracle, question))
    return tuple(sorted(known, key=attrgetter("risk"), reverse=True))
