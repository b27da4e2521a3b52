"""The oracles of running times and years."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.oracle import Oracle, Question, Verdict
from saferec_runtime_limit.limits import MAX_RUNTIME, MIN_YEAR, TIME_AT_HAND, TRAITS
from saferec_runtime_limit.runtimes import Runtimes

__all__ = ["LimitsOracle", "TimeAtHandOracle"]


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
        """Every limit: ``max_runtime`` and ``min_year`` with a number."""
        _ = self._runtimes  # a damaged table is reported before the run starts
        return TRAITS

    def judge(self, questions: Sequence[Question]) -> list[Verdict]:
        """Compare running time and year with each limit."""
        return [self._verdict(question) for question in questions]

    def _verdict(self, question: Question) -> Verdict:
        runtime = self._runtimes.of(question.name, question.year)
        violations = {
            constraint: violated
            for constraint in question.constraints
            if (violated := self._violated(constraint, runtime, question.year)) is not None
        }
        is_listed = question.year is not None or runtime is not None
        return _verdict_of(violations, known=is_listed and len(violations) == len(question.constraints))

    def _violated(self, constraint: str, runtime: int | None, year: int | None) -> bool | None:
        """Tell whether a limit is passed; None where nobody knows."""
        if (minutes := MAX_RUNTIME.value(constraint)) is not None:
            return None if runtime is None else runtime > minutes
        first = MIN_YEAR.value(constraint)
        return None if first is None or year is None else year < first

    @cached_property
    def _runtimes(self) -> Runtimes:
        return Runtimes.read(self.path, self.year_tolerance)


@component
class TimeAtHandOracle(Oracle):
    """Judges whether a film fits into the minutes that the user has, the column ``minutes`` of the record."""

    columns: ClassVar[tuple[str, ...]] = ("minutes",)

    path: Path
    """Running times (JSONL, CSV or Parquet): a row for each title with title, year and runtime in minutes."""
    year_tolerance: int = Field(default=2, ge=0)
    """By how many years a title that is asked for may be off to get the running time of the table."""

    @property
    def traits(self) -> Collection[str]:
        """The only one."""
        _ = self._runtimes  # a damaged table is reported before the run starts
        return (TIME_AT_HAND,)

    def judge(self, questions: Sequence[Question]) -> list[Verdict]:
        """Compare running time and time at hand."""
        return [self._verdict(question) for question in questions]

    def _verdict(self, question: Question) -> Verdict:
        runtime = self._runtimes.of(question.name, question.year)
        if runtime is None:
            return Verdict(known=False)
        is_too_long = runtime > int(question.record["minutes"])
        return _verdict_of(dict.fromkeys(question.constraints, is_too_long), known=True)

    @cached_property
    def _runtimes(self) -> Runtimes:
        return Runtimes.read(self.path, self.year_tolerance)


def _verdict_of(violations: Mapping[str, bool], *, known: bool) -> Verdict:
    violated = tuple(constraint for constraint, is_violated in violations.items() if is_violated)
    risks = {constraint: float(is_violated) for constraint, is_violated in violations.items()}
    return Verdict(known=known or bool(violated), risks=risks, violated=violated)
