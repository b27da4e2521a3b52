"""The SafetyOracle: a table of risks."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol

from pydantic import Field

from saferec_core.data.title_tiers import Tiers
from saferec_core.data.titles import Title
from saferec_core.errors import UnknownNameError
from saferec_core.oracle_files.deciding import OPEN_FROM, RISK_THRESHOLD, DecisionRule, RisksByRow
from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.oracle import Evidence, Oracle, Question, Verdict
from saferec_plugins.oracles.risk_table import shared_table

__all__ = ["TableOracle"]

_UNKNOWN = Verdict(known=False)
_REMEMBERED = 1 << 17
"""Size of the cache of verdicts, which is then cleared."""


class _Risks(RisksByRow, Protocol):
    """The common interface of tables and oracle files."""

    @property
    def traits(self) -> frozenset[str]: ...

    def tiers(self, name: str, year: int | None, *, tolerance: int) -> Tiers: ...

    def title(self, row: int) -> Title: ...

    def evidence(self, row: int, traits: Collection[str]) -> list[Evidence]: ...


@component
class TableOracle(Oracle):
    """Looks titles up by their normal form, and compares their risk with a threshold.

    It reads oracle files (``.arrow``), which ``saferec oracle build`` makes and which processes share
    in memory, and tables. A table has a row per title:
    ``{"title": ..., "year": ..., "risk": {trait: 0..1}}``. Instead of ``risk`` a row may hold
    ``warnings``, the traits that a content warning was raised for, and ``severity``, the 0..3
    severities of a parental guide; its risk is then the larger of the two,
    ``max(warning, (w . s) / (3 * sum(w)))`` with the weights ``w`` of *traits*.

    A title is known if any evidence decides: if its risk reaches the threshold, or stays below the open band.
    The highest deciding risk counts. If several works may be meant (one name and year, or equally near years)
    and their verdicts differ, the verdict is marked as ambiguous.
    """

    path: Path
    """The oracle file (.arrow) or the table (JSONL or Parquet)."""
    traits_path: Path | None = None
    """JSON object with the parental-guide weights per trait; needed for tables with severities."""
    risk_threshold: float = Field(default=RISK_THRESHOLD, gt=0, le=1)
    """A risk of at least this is a violation; in 0..1."""
    open_from: float = Field(default=OPEN_FROM, ge=0, le=1)
    """Evidence of a risk from this up to the threshold (the open band) does not decide: alone, it leaves the
    title unknown. With 1 every risk below the threshold is safe."""
    year_tolerance: int = Field(default=2, ge=0)
    """Maximum difference in release year, in years, when looking titles up."""

    @property
    def traits(self) -> frozenset[str]:
        """The traits that the table has a risk for."""
        return self._risks.traits

    def judge(self, questions: Sequence[Question]) -> list[Verdict]:
        """Look every title up.

        Raises:
            UnknownNameError: A constraint is not a trait of the table.
        """
        answers = self._answers
        if len(answers) > _REMEMBERED:
            answers.clear()
        new = [question for question in dict.fromkeys(questions) if question not in answers]
        for asked in {question.constraints for question in new}:
            self._check(asked)
        answers.update((question, self._look_up(question)) for question in new)
        return [answers[question] for question in questions]

    def explain(self, question: Question) -> list[Evidence]:
        """Return the evidence on a title for the given traits, the highest risk first.

        Raises:
            UnknownNameError: A constraint is not a trait of the table.
        """
        self._check(question.constraints)
        tiers = self._tiers(question)
        decisions = [self._rule.decision(self._risks, tiers, trait) for trait in question.constraints]
        evidence = [
            self._attributed(row, piece, tiers)
            for trait, decision in zip(question.constraints, decisions, strict=True)
            for row in decision.rows
            for piece in self._risks.evidence(row, [trait])
        ]
        return sorted(evidence, key=lambda piece: -piece.risk)

    def _look_up(self, question: Question) -> Verdict:
        tiers = self._tiers(question)
        if not tiers:
            return _UNKNOWN
        rule, risks = self._rule, {}
        violated, undecided, without_evidence, ambiguous = [], [], False, False
        for trait in dict.fromkeys(question.constraints):
            decision = rule.decision(self._risks, tiers, trait)
            ambiguous |= decision.ambiguous
            if decision.risk is None:
                without_evidence = True
                continue
            risks[trait] = risk = round(decision.risk, 6)
            if not decision.known:
                undecided.append(trait)
            elif rule.reaches(risk):
                violated.append(trait)
        return Verdict(
            # A title that is unknown for one of the traits is not known to be safe.
            known=bool(violated) or not (undecided or without_evidence),
            risks=risks,
            violated=tuple(violated),
            open=tuple(undecided),
            ambiguous=ambiguous,
        )

    def _attributed(self, row: int, evidence: Evidence, tiers: Tiers) -> Evidence:
        """Name the work that evidence is about, if it is not the nearest one."""
        risks = self._risks
        if risks.work_of(row) in map(risks.work_of, tiers[0]):
            return evidence
        return evidence._replace(detail=f"{evidence.detail} (about {risks.title(row)})")

    def _tiers(self, question: Question) -> Tiers:
        return self._risks.tiers(question.name, question.year, tolerance=self.year_tolerance)

    @cached_property
    def _rule(self) -> DecisionRule:
        return DecisionRule(self.risk_threshold, self.open_from)

    def _check(self, constraints: Collection[str]) -> None:
        traits = self._risks.traits
        for trait in constraints:
            if trait not in traits:
                raise UnknownNameError("trait", trait, traits)

    @cached_property
    def _answers(self) -> dict[Question, Verdict]:
        """Earlier verdicts; a policy names the same titles again and again."""
        return {}

    @cached_property
    def _risks(self) -> _Risks:
        if self.path.suffix == ".arrow":
            from saferec_plugins.oracles.risk_file import RiskFile  # Arrow, for those who need it

            return RiskFile(self.path)
        return shared_table(self.path, self.traits_path)
