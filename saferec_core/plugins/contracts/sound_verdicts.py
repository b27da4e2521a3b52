"""What makes a verdict sound, and copies of verdicts that no oracle can change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from numbers import Real
from typing import Any

from saferec_core.plugins.contracts.verdict import Verdict

__all__ = ["copied", "faults_of", "in_plain_terms"]


def copied(verdict: Any) -> Any:
    """Copy what a verdict holds, so that what is checked is what is used."""
    if type(verdict) is not Verdict:
        return verdict
    risks, violated, undecided = verdict.risks, verdict.violated, verdict.open
    return replace(
        verdict,
        risks=dict(risks) if isinstance(risks, Mapping) else risks,
        violated=tuple(violated) if isinstance(violated, list | tuple | AbstractSet) else violated,
        open=tuple(undecided) if isinstance(undecided, list | tuple | AbstractSet) else undecided,
    )


def in_plain_terms(verdict: Verdict, asked: Sequence[str]) -> Verdict:
    """Return a sound verdict in plain numbers, and its traits as the question has them."""
    traits = tuple(dict.fromkeys(asked))
    return replace(
        verdict,
        risks={trait: float(verdict.risks[trait]) for trait in traits if trait in verdict.risks},
        violated=tuple(trait for trait in traits if trait in verdict.violated),
        open=tuple(trait for trait in traits if trait in verdict.open),
    )


def faults_of(verdict: object, asked: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong with a verdict."""
    if type(verdict) is not Verdict:  # of a class of its own it may say something else each time
        yield f"expected a Verdict, but got {type(verdict).__name__}"
        return
    if not isinstance(verdict.known, bool):
        yield f"known must be True or False, but is {verdict.known!r}"
    if isinstance(verdict.risks, Mapping):
        yield from _faults_of_risks(verdict.risks, asked)
    else:
        yield f"risks must be a mapping from traits to numbers, but are {type(verdict.risks).__name__}"
        return
    for name, traits in (("violated", verdict.violated), ("open", verdict.open)):
        if not isinstance(traits, tuple | list | AbstractSet):
            yield f"{name} must be a tuple of traits, but is {traits!r:.200}"
            return
        unasked = [trait for trait in traits if trait not in asked]
        if unasked:
            yield f"{name} holds {unasked[0]!r}, but asked were {', '.join(asked) or 'none'}"
            return
    if not isinstance(verdict.ambiguous, bool):
        yield f"ambiguous must be True or False, but is {verdict.ambiguous!r}"
    yield from _contradictions(verdict)


def _contradictions(verdict: Verdict) -> Iterator[str]:
    """Yield what parts of a verdict say against one another."""
    if verdict.violated and not verdict.known:
        yield f"it violates {', '.join(map(str, verdict.violated))}, so it must be known"
    for trait in verdict.violated:
        if trait in verdict.open:
            yield f"{trait!r} is open, so it must not be violated"
        if verdict.risks.get(trait) == 0:
            yield f"it violates {trait!r}, so its risk must be above 0"


def _faults_of_risks(risks: Mapping[str, object], asked: Sequence[str]) -> Iterator[str]:
    for trait, risk in risks.items():
        if trait not in asked:
            yield f"risks holds {trait!r}, but asked were {', '.join(asked) or 'none'}"
        if isinstance(risk, bool) or not isinstance(risk, Real) or not 0 <= float(risk) <= 1:
            yield f"the risk of {trait!r} must be a number in 0..1, but is {risk!r}"
