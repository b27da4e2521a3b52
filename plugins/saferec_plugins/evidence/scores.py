"""Scores 0..10 and genres, as Kids-In-Mind gives them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from saferec_core.config.choices import Section
from saferec_core.data.rows import Row
from saferec_core.data.traits import Trait
from saferec_core.errors import DataError
from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.evidence import EvidenceSource, Finding, Findings
from saferec_plugins.evidence.rules import Risk, read_rules, rules_for
from saferec_plugins.evidence.title_columns import id_of, title_of

__all__ = ["ScoreRule", "Scores"]

_HIGHEST = 10
_Step = Annotated[float, Field(ge=0, le=_HIGHEST)]
_SEPARATORS = re.compile(r"[|,;]")


class ScoreRule(Section):
    """The meaning of scores and genres for one trait."""

    scores: dict[str, dict[_Step, Risk | None]] = Field(default_factory=dict)
    """Column: lowest score: risk. The highest step that the score reaches counts; below the lowest
    step, and where the risk is null, the score is not evidence."""
    genres: dict[str, Risk] = Field(default_factory=dict)
    """Genre: risk. Other genres are not evidence."""

    @model_validator(mode="after")
    def _says_something(self) -> ScoreRule:
        if not self.scores and not self.genres:
            raise ValueError("expected scores or genres")
        return self


@component
class Scores(EvidenceSource):
    """Reads scores by a table of rules with the risk of each score for a trait."""

    path: Path
    """The scores (JSONL, CSV, TSV or Parquet), a row per title."""
    rules_path: Path | None = None
    """Own rules (YAML: trait, then scores and genres); the built-in ones for the columns sex_nudity,
    violence_gore and language if not given."""
    genre_columns: tuple[str, ...] = ("genre_1", "genre_2", "genres", "genre")
    """Columns of genres: a list, or text separated by commas, semicolons or bars."""
    title_column: str = "title"
    """Column of the title."""
    year_column: str = "year"
    """Column of the year; without one, the title must read "Title (Year)"."""
    id_column: str | None = None
    """Column with an id, such as IMDb's, that distinguishes films of one name and year."""

    def __call__(self, rows: Iterable[Row], traits: Mapping[str, Trait]) -> Iterator[Findings]:
        """Yield the findings of each title's scores and genres."""
        rules = rules_for(traits, self._rules, self.rules_path)
        columns = list(dict.fromkeys(column for rule in rules.values() for column in rule.scores))
        for row in rows:
            title = title_of(row, self.title_column, self.year_column)
            scores = {column: _score(row.get(column), column) for column in columns}
            genres = self._genres(row)
            possible = (_finding(trait, rule, scores, genres) for trait, rule in rules.items())
            findings = tuple(finding for finding in possible if finding is not None)
            yield Findings(title, findings, id_of(row, self.id_column))

    @cached_property
    def _rules(self) -> dict[str, ScoreRule]:
        return read_rules(ScoreRule, self.rules_path, "scores.yaml")

    def _genres(self, row: Row) -> set[str]:
        genres: set[str] = set()
        for column in self.genre_columns:
            value = row.get(column)
            parts = _SEPARATORS.split(value) if isinstance(value, str) else value or ()
            if not isinstance(parts, list | tuple) or not all(isinstance(part, str) for part in parts):
                raise DataError(f"{column!r} must hold genres, but is {value!r}")
            genres.update(part.strip().casefold() for part in parts)
        return genres


def _score(value: Any, column: str) -> float | None:
    text = "" if value is None else str(value).strip()
    if not text:
        return None
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if isinstance(value, bool) or not 0 <= number <= _HIGHEST:
        raise DataError(f"{column!r} must be a score in 0..{_HIGHEST}, but is {value!r}")
    return number


def _finding(
    trait: str, rule: ScoreRule, scores: Mapping[str, float | None], genres: set[str]
) -> Finding | None:
    """Return the finding with the highest risk."""
    findings = [
        Finding(trait, risk, f"genre {genre}")
        for genre, risk in rule.genres.items()
        if genre.casefold() in genres
    ]
    for column, steps in rule.scores.items():
        score = scores[column]
        reached = [step for step in steps if score is not None and step <= score]
        risk = steps[max(reached)] if reached else None
        if risk is not None:
            findings.append(Finding(trait, risk, f"{column} {score:g} of {_HIGHEST}"))
    return max(findings, key=lambda finding: finding.risk, default=None)
