"""An oracle for tests, which says what it was told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from saferec_core.data.titles import normal_form
from saferec_core.plugins.contracts.oracle import Oracle, Question, Verdict

__all__ = ["StatedOracle"]


class StatedOracle(Oracle):
    """An oracle that says what it was told: the traits that each title violates."""

    def __init__(self, violated: Mapping[str, Sequence[str]], *, traits: Sequence[str]) -> None:
        """Know the titles of *violated*, given by name, and judge *traits*."""
        self._traits = frozenset(traits)
        self._violated = {normal_form(name): tuple(traits) for name, traits in violated.items()}

    @property
    def traits(self) -> frozenset[str]:
        """The traits that it judges."""
        return self._traits

    def judge(self, questions: Sequence[Question]) -> list[Verdict]:
        """Answer with risk 1 or 0."""
        return [self._verdict(question) for question in questions]

    def _verdict(self, question: Question) -> Verdict:
        stated = self._violated.get(normal_form(question.name))
        if stated is None:
            return Verdict(known=False)
        violated = tuple(trait for trait in question.constraints if trait in stated)
        risks = {trait: float(trait in violated) for trait in question.constraints}
        return Verdict(known=True, risks=risks, violated=violated)
