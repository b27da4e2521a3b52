"""The SafetyOracle: a table of risks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from pydantic import Field

from saferec_core.components import component
from saferec_core.errors import UnknownNameError
from saferec_core.oracle import Question, Verdict
from saferec_core.titles import TitleIndex
from saferec_plugins.oracles.risk_table import read_risks, read_weights

__all__ = ["TableOracle"]

_UNKNOWN = Verdict(known=False)
_REMEMBERED = 1 << 17
"""How many verdicts are remembered before all are forgotten."""


@component
class TableOracle:
    """Looks titles up by the one title normal form, and compares their risk with a threshold.

    The table has a row per title: ``{"title": ..., "year": ..., "risk": {trait: 0..1}}``. Instead of
    ``risk`` a row may hold ``warnings``, the traits that a content warning was raised for, and
    ``severity``, the 0..3 severities of a parental guide; its risk is then the larger of the two,
    ``max(warning, (w . s) / (3 * sum(w)))`` with the weights ``w`` of *traits*.
    """

    path: Path
    """The table (JSONL or Parquet)."""
    traits_path: Path | None = None
    """JSON object with the parental-guide weights per trait; needed for rows with severities."""
    risk_threshold: float = Field(default=0.66, gt=0, le=1)
    """A risk of at least this is a violation; in 0..1."""
    year_tolerance: int = Field(default=2, ge=0)
    """By how many years a title that is asked for may be off."""

    @property
    def traits(self) -> frozenset[str]:
        """The traits that the table has a risk for."""
        return self._table[2]

    def judge(self, questions: Sequence[Question]) -> list[Verdict]:
        """Look every title up.

        Raises:
            UnknownNameError: A constraint is no trait of the table.
        """
        answers = self._answers
        if len(answers) > _REMEMBERED:
            answers.clear()
        verdicts = []
        for question in questions:
            verdict = answers.get(question)
            if verdict is None:
                verdict = answers[question] = self._look_up(question)
            verdicts.append(verdict)
        return verdicts

    def _look_up(self, question: Question) -> Verdict:
        index, risks, traits = self._table
        for trait in question.constraints:
            if trait not in traits:
                raise UnknownNameError("trait", trait, traits)
        place = index.find(question.name, question.year, tolerance=self.year_tolerance)
        if place is None:
            return _UNKNOWN
        row = risks[place]
        asked = {trait: row[trait] for trait in question.constraints if trait in row}
        violated = tuple(trait for trait, risk in asked.items() if risk >= self.risk_threshold)
        # A title without a risk for some asked trait is not known to be safe.
        known = bool(violated) or len(asked) == len(question.constraints)
        return Verdict(known=known, risks=asked, violated=violated)

    @cached_property
    def _answers(self) -> dict[Question, Verdict]:
        """Verdicts already given; a policy names the same titles over and over."""
        return {}

    @cached_property
    def _table(self) -> tuple[TitleIndex, list[Mapping[str, float]], frozenset[str]]:
        weights = {} if self.traits_path is None else read_weights(self.traits_path)
        risks = read_risks(self.path, weights)
        traits = frozenset(weights).union(*risks.values())
        return TitleIndex(risks), list(risks.values()), traits
