"""The SafetyOracle: a table of risks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Protocol

from pydantic import Field

from saferec_core.errors import UnknownNameError
from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.oracle import Evidence, Oracle, Question, Verdict
from saferec_plugins.oracles.risk_table import shared_table

__all__ = ["TableOracle"]

_UNKNOWN = Verdict(known=False)
_REMEMBERED = 1 << 17
"""How many verdicts are remembered before all are forgotten."""


class _Risks(Protocol):
    """What a table and an oracle file have in common."""

    @property
    def traits(self) -> frozenset[str]: ...

    @property
    def threshold(self) -> float: ...

    def find_many(
        self, names: Sequence[str], years: Sequence[int | None], *, tolerance: int
    ) -> list[int]: ...

    def risk(self, row: int, trait: str) -> float | None: ...

    def evidence(self, row: int, traits: Collection[str]) -> list[Evidence]: ...


@component
class TableOracle(Oracle):
    """Looks titles up by the one title normal form, and compares their risk with a threshold.

    It reads oracle files (``.arrow``), which ``saferec oracle build`` makes and which processes share
    in memory, and tables. A table has a row per title:
    ``{"title": ..., "year": ..., "risk": {trait: 0..1}}``. Instead of ``risk`` a row may hold
    ``warnings``, the traits that a content warning was raised for, and ``severity``, the 0..3
    severities of a parental guide; its risk is then the larger of the two,
    ``max(warning, (w . s) / (3 * sum(w)))`` with the weights ``w`` of *traits*.
    """

    path: Path
    """The oracle file (.arrow) or the table (JSONL or Parquet)."""
    traits_path: Path | None = None
    """JSON object with the parental-guide weights per trait; needed for tables with severities."""
    risk_threshold: float = Field(default=0.66, gt=0, le=1)
    """A risk of at least this is a violation; in 0..1."""
    year_tolerance: int = Field(default=2, ge=0)
    """By how many years a title that is asked for may be off."""

    @property
    def traits(self) -> frozenset[str]:
        """The traits that the table has a risk for."""
        return self._risks.traits

    def judge(self, questions: Sequence[Question]) -> list[Verdict]:
        """Look every title up.

        Raises:
            UnknownNameError: A constraint is no trait of the table.
        """
        answers = self._answers
        if len(answers) > _REMEMBERED:
            answers.clear()
        new = [question for question in dict.fromkeys(questions) if question not in answers]
        if new:
            answers.update(zip(new, self._look_up(new), strict=True))
        return [answers[question] for question in questions]

    def explain(self, question: Question) -> list[Evidence]:
        """Return what the risks of a title rest on for the asked traits, the highest risk first.

        Raises:
            UnknownNameError: A constraint is no trait of the table.
        """
        self._check(question.constraints)
        (row,) = self._risks.find_many([question.name], [question.year], tolerance=self.year_tolerance)
        told = [] if row < 0 else self._risks.evidence(row, question.constraints)
        return sorted(told, key=lambda evidence: -evidence.risk)

    def _look_up(self, questions: Sequence[Question]) -> list[Verdict]:
        names, years, constraints = zip(*questions, strict=True)
        for asked in set(constraints):
            self._check(asked)
        rows = self._risks.find_many(names, years, tolerance=self.year_tolerance)
        return [
            _UNKNOWN if row < 0 else self._verdict(row, asked)
            for row, asked in zip(rows, constraints, strict=True)
        ]

    def _verdict(self, row: int, constraints: Sequence[str]) -> Verdict:
        risks = self._risks
        if len(constraints) == 1:
            (trait,) = constraints
            return _verdict_on_one(trait, risks.risk(row, trait), risks.threshold)
        asked = {trait: risk for trait in constraints if (risk := risks.risk(row, trait)) is not None}
        violated = tuple(trait for trait, risk in asked.items() if risk >= risks.threshold)
        # A title without a risk for some asked trait is not known to be safe.
        known = bool(violated) or len(asked) == len(constraints)
        return Verdict(known=known, risks=asked, violated=violated)

    def _check(self, constraints: Collection[str]) -> None:
        traits = self._risks.traits
        for trait in constraints:
            if trait not in traits:
                raise UnknownNameError("trait", trait, traits)

    @cached_property
    def _answers(self) -> dict[Question, Verdict]:
        """Verdicts already given; a policy names the same titles over and over."""
        return {}

    @cached_property
    def _risks(self) -> _Risks:
        if self.path.suffix == ".arrow":
            from saferec_plugins.oracles.risk_file import RiskFile  # Arrow, for those who need it

            return RiskFile(self.path, risk_threshold=self.risk_threshold)
        return shared_table(self.path, self.traits_path, risk_threshold=self.risk_threshold)


@lru_cache(maxsize=1 << 13)
def _verdict_on_one(trait: str, risk: float | None, threshold: float) -> Verdict:
    """Return what is the same for all titles with this risk; there are few different ones."""
    if risk is None:
        return _UNKNOWN
    return Verdict(known=True, risks={trait: risk}, violated=(trait,) if risk >= threshold else ())
