"""The oracle of limits."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cached_property
from pathlib import Path

from pydantic import Field

from saferec_core.data.rows import read_rows, whole_year
from saferec_core.data.titles import Title, normal_form
from saferec_core.errors import DataError
from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.oracle import Oracle, Question, Verdict
from saferec_runtime_limit.limits import AllLimits, Limit, limit_of

__all__ = ["LimitsOracle"]


@component
class LimitsOracle(Oracle):
    """Judges limits of running time by a table, and limits of release year by the year that a title states.

    A title is known for the asked limits if all of them can be judged, or if one is violated for certain.
    """

    path: Path
    """Running times (JSONL, CSV or Parquet): a row for each title with title, year and runtime in minutes."""
    year_tolerance: int = Field(default=2, ge=0)
    """By how many years a title that is asked for may be off to get the running time of the table."""

    @property
    def traits(self) -> Collection[str]:
        """Every limit: ``runtime<=`` and ``year>=`` with a number."""
        _ = self._runtimes  # a damaged table is reported before the run starts
        return AllLimits()

    def judge(self, questions: Sequence[Question]) -> list[Verdict]:
        """Compare running time and year with each limit."""
        return [self._verdict(question) for question in questions]

    def _verdict(self, question: Question) -> Verdict:
        limits = {constraint: limit_of(constraint) for constraint in question.constraints}
        values = {name: self._value(question, limit) for name, limit in limits.items() if limit is not None}
        risks = {
            name: float(limit.violated_by(value))
            for name, value in values.items()
            if value is not None and (limit := limits[name]) is not None
        }
        violated = tuple(name for name, risk in risks.items() if risk)
        known = bool(violated) or (self._is_listed(question) and len(risks) == len(question.constraints))
        return Verdict(known=known, risks=risks, violated=violated)

    def _value(self, question: Question, limit: Limit) -> int | None:
        return question.year if limit.quantity == "year" else self._runtime(question)

    def _is_listed(self, question: Question) -> bool:
        return question.year is not None or self._runtime(question) is not None

    def _runtime(self, question: Question) -> int | None:
        """Return the running time of the nearest year within the tolerance; of two the longer one."""
        of_name = self._runtimes.get(normal_form(question.name), {})
        if question.year is None:
            return max(of_name.values(), default=None)
        year = question.year
        near = sorted((abs(other - year), -minutes) for other, minutes in of_name.items())
        return -near[0][1] if near and near[0][0] <= self.year_tolerance else None

    @cached_property
    def _runtimes(self) -> dict[str, dict[int, int]]:
        """Minutes by normal form of the name and year."""
        runtimes: dict[str, dict[int, int]] = {}
        for number, row in enumerate(read_rows(self.path), start=1):
            where = f"{self.path}, row {number}"
            name, minutes = row.get("title"), row.get("runtime")
            if not isinstance(name, str) or not name.strip():
                raise DataError(f"{where}: wanted a title, but got {name!r}")
            title = Title(name, whole_year(row.get("year"), f"{where}: year"))
            runtimes.setdefault(normal_form(name), {})[title.year or 0] = whole_year(
                minutes, f"{where}: runtime in minutes"
            )
        return runtimes
