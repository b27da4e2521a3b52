"""What an oracle answers: a verdict, and verdicts about titles that are judged as one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Verdict", "joined"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """An oracle's answer about one title."""

    known: bool
    """Whether the oracle can decide. Evidence that leaves it open whether the title violates a trait does not
    make it known."""
    risks: Mapping[str, float] = field(default_factory=dict)
    """Risk per asked trait, in 0..1; a trait without evidence is missing."""
    violated: tuple[str, ...] = ()
    """The asked traits whose risk reaches the oracle's threshold; none if the title is not known."""
    open: tuple[str, ...] = ()
    """The asked traits of which ``risks`` leaves open whether the title violates them."""
    ambiguous: bool = False
    """Whether several works may be meant that are not judged alike, so that the highest risk counts, or the
    verdict rests on a work of the same name and nearly the same year."""


def joined(first: Verdict, second: Verdict) -> Verdict:
    """Judge two titles as one: what either violates, both do; known if either is."""
    if not second.known:
        return first
    traits = dict.fromkeys([*first.risks, *second.risks])
    violated = tuple(dict.fromkeys([*first.violated, *second.violated]))
    return Verdict(
        known=True,
        risks={trait: max(first.risks.get(trait, 0.0), second.risks.get(trait, 0.0)) for trait in traits},
        violated=violated,
        open=tuple(dict.fromkeys(trait for trait in (*first.open, *second.open) if trait not in violated)),
        ambiguous=first.ambiguous or second.ambiguous,
    )
