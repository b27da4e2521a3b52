"""The best-known titles that a trait blocks, passes and leaves unknown: where faults meet the eye."""

from __future__ import annotations

from dataclasses import dataclass

from saferec_core.oracle_files.judged_titles import JudgedTitles

__all__ = ["Example", "TraitExamples", "examples_of"]

_MOST = 25
"""Titles of each kind that are listed."""


@dataclass(frozen=True)
class Example:
    """A title and what its verdict rests on."""

    title: str
    risk: float | None
    """The risk that counts, or the highest that leaves it open; None if nothing is said."""
    ambiguous: bool
    evidence: str
    """The piece of evidence with that risk, with its source."""


@dataclass(frozen=True)
class TraitExamples:
    """For one trait, the most popular titles first."""

    trait: str
    blocked: list[Example]
    passed: list[Example]
    unknown: list[Example]


def examples_of(judged: JudgedTitles, trait: str, *, most: int = _MOST) -> TraitExamples:
    """List the most popular titles that a trait blocks, passes and leaves unknown.

    Args:
        judged: Titles with verdicts.
        trait: One that the oracle has.
        most: Titles of each kind.
    """
    examples = TraitExamples(trait, [], [], [])
    for place in judged.by_popularity():
        told = judged.decisions(trait)[place]
        kind = examples.unknown
        if told.known and told.risk is not None:
            kind = examples.blocked if judged.rule.reaches(told.risk) else examples.passed
        if len(kind) < most:
            kind.append(_example(judged, trait, place))
        if min(map(len, (examples.blocked, examples.passed, examples.unknown))) == most:
            break
    return examples


def _example(judged: JudgedTitles, trait: str, place: int) -> Example:
    decision = judged.decisions(trait)[place]
    told = [each for row in decision.rows for each in judged.oracle.evidence(row) if each.trait == trait]
    highest = max(told, key=lambda evidence: evidence.risk, default=None)
    return Example(
        title=str(judged.titles[place]),
        risk=decision.risk,
        ambiguous=decision.ambiguous,
        evidence="" if highest is None else f"{highest.source}: {highest.detail}",
    )
