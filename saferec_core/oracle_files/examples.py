"""The most popular titles that a trait blocks, passes and leaves unknown, in which faults are easy to see."""

from __future__ import annotations

from dataclasses import dataclass

from saferec_core.oracle_files.judged_titles import JudgedTitles

__all__ = ["Example", "TraitExamples", "examples_of"]

_MOST = 25
"""Titles of each kind that are listed."""


@dataclass(frozen=True)
class Example:
    """A title with the evidence for its verdict."""

    title: str
    risk: float | None
    """The risk that counts, or the highest that leaves it open; None without evidence."""
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
    for position in judged.by_popularity():
        decision = judged.decisions(trait)[position]
        kind = examples.unknown
        if decision.known and decision.risk is not None:
            kind = examples.blocked if judged.rule.reaches(decision.risk) else examples.passed
        if len(kind) < most:
            kind.append(_example(judged, trait, position))
        if min(map(len, (examples.blocked, examples.passed, examples.unknown))) == most:
            break
    return examples


def _example(judged: JudgedTitles, trait: str, position: int) -> Example:
    decision = judged.decisions(trait)[position]
    evidence = [each for row in decision.rows for each in judged.oracle.evidence(row) if each.trait == trait]
    highest = max(evidence, key=lambda piece: piece.risk, default=None)
    return Example(
        title=str(judged.titles[position]),
        risk=decision.risk,
        ambiguous=decision.ambiguous,
        evidence="" if highest is None else f"{highest.source}: {highest.detail}",
    )
