"""The SafetyOracle: a table of risks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import Field

from saferec_core.components import component
from saferec_core.errors import DataError, UnknownNameError
from saferec_core.lists import Title
from saferec_core.oracle import Question, Verdict
from saferec_core.records import read_rows
from saferec_core.titles import TitleIndex
from saferec_plugins.oracles.risk import trait_risk

__all__ = ["TableOracle"]

_UNKNOWN = Verdict(known=False)


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
        weights = _read_weights(self.traits_path)
        titles: list[Title] = []
        risks: list[Mapping[str, float]] = []
        for title, risk in _read_table(self.path, weights):
            titles.append(title)
            risks.append(risk)
        if not titles:
            raise DataError(f"oracle table {self.path} is empty; wanted rows with title, year and risk")
        traits = frozenset(weights).union(*risks)
        return TitleIndex(titles), risks, traits


def _read_table(
    path: Path, weights: Mapping[str, Sequence[float]]
) -> Iterator[tuple[Title, Mapping[str, float]]]:
    for number, row in enumerate(read_rows(path), start=1):
        where = f"oracle table {path}, row {number}"
        try:
            title = Title(str(row["title"]), int(str(row["year"])))
        except (KeyError, ValueError) as error:
            raise DataError(
                f"{where}: wanted a title and a year that is a number, but got "
                f"{row.get('title')!r} and {row.get('year')!r}"
            ) from error
        yield title, _risk(row, weights, where)


def _risk(row: Mapping[str, Any], weights: Mapping[str, Sequence[float]], where: str) -> Mapping[str, float]:
    if isinstance(row.get("risk"), Mapping):
        risk = {trait: value for trait, value in row["risk"].items() if value is not None}
        for trait, value in risk.items():
            if not isinstance(value, int | float) or not 0 <= value <= 1:
                raise DataError(f"{where}: the risk of {trait!r} must be in 0..1, but is {value!r}")
        return risk
    if "warnings" not in row and "severity" not in row:
        raise DataError(f"{where}: wanted risk, or warnings and severity; columns: {', '.join(row)}")
    warnings = set(row.get("warnings") or ())
    severity = row.get("severity")
    if severity is not None and not weights:
        raise DataError(f"{where} has severities, but the oracle has no traits_path with weights")
    if severity is None:
        return {**dict.fromkeys(weights, 0.0), **dict.fromkeys(warnings, 1.0)}
    return {
        trait: trait_risk(warning=trait in warnings, severities=severity, weights=relevance)
        for trait, relevance in weights.items()
    }


def _read_weights(path: Path | None) -> Mapping[str, Sequence[float]]:
    if path is None:
        return {}
    try:
        weights: Mapping[str, Sequence[float]] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise DataError(f"trait weights {path} cannot be read: {error}") from error
    return weights
