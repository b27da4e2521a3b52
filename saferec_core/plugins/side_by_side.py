"""Oracles side by side: each judges its own traits, and together they answer as one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import combinations
from typing import Any

from saferec_core.errors import ConfigError, UnknownNameError
from saferec_core.plugins.calls import named
from saferec_core.plugins.contracts.oracle import (
    Evidence,
    Explaining,
    Oracle,
    Question,
    Verdict,
    ask,
    explain,
)

__all__ = ["SideBySide", "oracles_in", "side_by_side"]


def side_by_side(oracles: Sequence[Oracle]) -> Oracle:
    """Return what answers for all *oracles*: the only one, or all of them together.

    Raises:
        ConfigError: Two of them judge the same trait.
    """
    return oracles[0] if len(oracles) == 1 else SideBySide(oracles)


def oracles_in(oracle: Oracle) -> Sequence[Oracle]:
    """Return the oracles that an oracle is made of: itself unless several stand side by side."""
    return oracle.oracles if isinstance(oracle, SideBySide) else (oracle,)


class SideBySide(Oracle):
    """Asks each oracle about the constraints that it judges.

    A title violates what any of them says it violates. It is known if it violates something, or if every
    oracle that was asked knows it. A question without constraints goes to the first oracle.
    """

    def __init__(self, oracles: Sequence[Oracle]) -> None:
        """Take *oracles*, of which no two may judge the same trait.

        Raises:
            ConfigError: Two of them do; the message names both.
        """
        self.oracles = tuple(oracles)
        self._judges: dict[str, int] = {}
        for one, other in combinations(self.oracles, 2):
            for trait in {*one.traits, *other.traits}:
                if trait in one.traits and trait in other.traits:
                    raise _claimed_twice(trait, one, other)

    @property
    def deterministic(self) -> bool:  # type: ignore[override]
        """Whether all of them are."""
        return all(oracle.deterministic for oracle in self.oracles)

    @cached_property
    def columns(self) -> tuple[str, ...]:  # type: ignore[override]
        """The columns that any of them needs."""
        return tuple(dict.fromkeys(column for oracle in self.oracles for column in oracle.columns))

    @property
    def traits(self) -> Collection[str]:
        """The traits of all of them."""
        return _Union([oracle.traits for oracle in self.oracles])

    def judge(self, questions: Sequence[Question]) -> list[Verdict]:
        """Split each question by who judges its constraints, and join the answers."""
        verdicts: list[list[Verdict]] = [[] for _ in questions]
        for oracle, parts in zip(self.oracles, self._parts(questions), strict=True):
            answers = ask(oracle, [part for _, part in parts]) if parts else ()
            for (position, part), verdict in zip(parts, answers, strict=True):
                verdicts[position].append(_with_risks(verdict, part.constraints))
        return [joined(answers) for answers in verdicts]

    def explain(self, question: Question) -> list[Evidence]:
        """Return all evidence, the highest risk first; of an oracle that cannot explain, the risks alone."""
        evidence: list[Evidence] = []
        for oracle, parts in zip(self.oracles, self._parts([question]), strict=True):
            for _, part in parts:
                if isinstance(oracle, Explaining):
                    evidence += explain(oracle, part)
                else:
                    (verdict,) = ask(oracle, [part])
                    evidence += [Evidence(trait, risk, "", "") for trait, risk in verdict.risks.items()]
        return sorted(evidence, key=lambda piece: -piece.risk)

    def _parts(self, questions: Sequence[Question]) -> list[list[tuple[int, Question]]]:
        """Return for each oracle its parts of the questions, with their positions."""
        parts: list[list[tuple[int, Question]]] = [[] for _ in self.oracles]
        for position, question in enumerate(questions):
            by_judge: dict[int, list[str]] = {} if question.constraints else {0: []}
            for trait in question.constraints:
                by_judge.setdefault(self._judge_of(trait), []).append(trait)
            for number, constraints in by_judge.items():
                record = question.record.only(self.oracles[number].columns)
                part = question._replace(constraints=tuple(constraints), record=record)
                parts[number].append((position, part))
        return parts

    def _judge_of(self, trait: str) -> int:
        if trait not in self._judges:
            judges = [number for number, oracle in enumerate(self.oracles) if trait in oracle.traits]
            if not judges:
                raise UnknownNameError("trait", trait, self.traits)
            if len(judges) > 1:
                raise _claimed_twice(trait, self.oracles[judges[0]], self.oracles[judges[1]])
            self._judges[trait] = judges[0]
        return self._judges[trait]


class _Union(Collection[str]):
    """The traits of several oracles, of which one may be a rule that answers ``in``."""

    def __init__(self, parts: Sequence[Collection[str]]) -> None:
        self._parts = parts

    def __contains__(self, trait: object) -> bool:
        return any(trait in part for part in self._parts)

    def __iter__(self) -> Iterator[str]:
        return (trait for part in self._parts for trait in part)

    def __len__(self) -> int:
        return sum(map(len, self._parts))


def _with_risks(verdict: Verdict, constraints: Sequence[str]) -> Verdict:
    """State the risks of a verdict that is certain and states none, as it stands beside others that do."""
    if not verdict.known or verdict.risks:
        return verdict
    return replace(verdict, risks={trait: float(trait in verdict.violated) for trait in constraints})


def joined(verdicts: Sequence[Verdict]) -> Verdict:
    """Join verdicts on one title that are about different traits."""
    if len(verdicts) == 1:
        return verdicts[0]
    violated = tuple(trait for verdict in verdicts for trait in verdict.violated)
    risks: dict[str, Any] = {}
    for verdict in verdicts:
        risks |= verdict.risks
    return Verdict(
        known=bool(violated) or all(verdict.known for verdict in verdicts),
        risks=risks,
        violated=violated,
        open=tuple(trait for verdict in verdicts for trait in verdict.open),
        ambiguous=any(verdict.ambiguous for verdict in verdicts),
    )


def _claimed_twice(trait: str, one: Oracle, other: Oracle) -> ConfigError:
    return ConfigError(
        f"{named('oracle', one)} and {named('oracle', other)} both judge the trait {trait!r}, and only one "
        "verdict can count: remove the trait from the table of one of them, or leave one oracle out"
    )
