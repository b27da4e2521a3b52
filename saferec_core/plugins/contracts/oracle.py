"""The questions that an oracle is asked and the verdicts that it returns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, runtime_checkable

from saferec_core.errors import PluginError
from saferec_core.plugins.calls import calling

__all__ = ["Evidence", "Explaining", "Oracle", "Question", "Verdict", "ask"]


class Question(NamedTuple):
    """Does this title violate any of these constraints?"""

    name: str
    year: int | None
    """Year of release; None if the list does not say, and then several titles may be meant."""
    constraints: tuple[str, ...]
    """Traits that are active for the user who would be shown the title."""


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
    """Whether several films may be meant that are not judged alike, so that the highest risk counts, or the
    verdict rests on a film of the same name and nearly the same year."""


class Oracle(ABC):
    """Tells what violates a constraint."""

    @property
    @abstractmethod
    def traits(self) -> Collection[str]:
        """Every trait that this oracle can judge."""

    @abstractmethod
    def judge(self, questions: Sequence[Question]) -> Sequence[Verdict]:
        """Answer a batch of questions, one verdict each, in order.

        An oracle that cannot answer raises; a title it has never heard of is not a failure but a
        verdict with ``known=False``.
        """


def ask(oracle: Oracle, questions: Sequence[Question]) -> Sequence[Verdict]:
    """Put *questions* to an oracle.

    Raises:
        PluginError: The oracle failed, or did not answer every question with a verdict.
    """
    name = type(oracle).__name__
    with calling("oracle", name):
        verdicts = oracle.judge(questions)
    answered = len(verdicts) if isinstance(verdicts, Sequence) else 0
    if answered != len(questions):
        raise PluginError(
            f"oracle {name!r} must answer {len(questions)} questions with a verdict each, but answered "
            f"{answered}"
        )
    return verdicts


class Evidence(NamedTuple):
    """What a verdict rests on: what one source says about one title and one trait."""

    trait: str
    risk: float
    """In 0..1."""
    source: str
    """Name of the source."""
    detail: str
    """What the source says: the words that matched, the question that was answered yes."""


@runtime_checkable
class Explaining(Protocol):
    """An oracle that can name what its verdicts rest on."""

    def explain(self, question: Question) -> Sequence[Evidence]:
        """Return the evidence for the asked traits, the highest risk first."""
        ...
