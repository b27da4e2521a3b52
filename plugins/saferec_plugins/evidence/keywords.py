"""Keywords and tags of titles, as TMDB and MovieLens have them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from saferec_core.config.choices import Section
from saferec_core.data.rows import Row
from saferec_core.data.traits import Trait
from saferec_core.errors import DataError
from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.evidence import EvidenceSource, Finding, Findings
from saferec_plugins.evidence.rules import WordsByRisk, first_match, read_rules, rules_for
from saferec_plugins.evidence.title_columns import id_of, title_of

__all__ = ["KeywordRule", "Keywords"]

_SHOWN = 3
"""How many keywords a detail spells out."""


class KeywordRule(Section):
    """The meaning of keywords for one trait."""

    risk: WordsByRisk
    """Risk: words that a keyword with this risk contains."""


@component
class Keywords(EvidenceSource):
    """A keyword that matches a rule is a warning; the absence of one is not evidence."""

    path: Path
    """The keywords (JSONL, CSV, TSV or Parquet), a row per title."""
    rules_path: Path | None = None
    """Own rules (YAML: trait, then risk); the built-in ones if not given."""
    keywords_column: str = "keywords"
    """Column of the keywords: a list, or text with separators."""
    separator: str | None = None
    """Separator of keywords in text; by default a bar, else a semicolon, else a comma, whichever occurs."""
    title_column: str = "title"
    """Column of the title."""
    year_column: str = "year"
    """Column of the year; without one, the title must read "Title (Year)"."""
    id_column: str | None = None
    """Column with an id, such as IMDb's, that distinguishes films of one name and year."""

    def __call__(self, rows: Iterable[Row], traits: Mapping[str, Trait]) -> Iterator[Findings]:
        """Yield the findings of each title's keywords."""
        rules = rules_for(traits, self._rules, self.rules_path)
        meaning: dict[str, dict[str, float]] = {}  # by keyword, since titles share them
        for row in rows:
            title = title_of(row, self.title_column, self.year_column)
            matches: dict[str, list[tuple[float, str]]] = {}
            for keyword in self._keywords(row):
                if keyword not in meaning:
                    meaning[keyword] = _meaning(keyword, rules)
                for trait, risk in meaning[keyword].items():
                    matches.setdefault(trait, []).append((risk, keyword))
            findings = tuple(_finding(trait, matches[trait]) for trait in rules if trait in matches)
            yield Findings(title, findings, id_of(row, self.id_column))

    @cached_property
    def _rules(self) -> dict[str, KeywordRule]:
        return read_rules(KeywordRule, self.rules_path, "keywords.yaml")

    def _keywords(self, row: Row) -> list[str]:
        """Return the row's keywords, each once."""
        if self.keywords_column not in row:
            raise DataError(f"the column {self.keywords_column!r} is missing; columns: {', '.join(row)}")
        value: Any = row[self.keywords_column]
        if isinstance(value, str):
            separator = self.separator or next((mark for mark in "|;" if mark in value), ",")
            value = value.split(separator)
        if value is None:
            value = []
        if not isinstance(value, list | tuple) or not all(isinstance(part, str) for part in value):
            raise DataError(f"{self.keywords_column!r} must hold keywords, but is {value!r}")
        return list(dict.fromkeys(part.strip() for part in value if part.strip()))


def _meaning(keyword: str, rules: Mapping[str, KeywordRule]) -> dict[str, float]:
    matches = ((trait, first_match(rule.risk, keyword)) for trait, rule in rules.items())
    return {trait: match[0] for trait, match in matches if match is not None}


def _finding(trait: str, matches: list[tuple[float, str]]) -> Finding:
    risk = max(risk for risk, _ in matches)
    words = [keyword for other, keyword in matches if other == risk]
    more = f" and {len(words) - _SHOWN} more" if len(words) > _SHOWN else ""
    shown = ", ".join(f'"{word}"' for word in words[:_SHOWN])
    return Finding(trait, risk, f"keyword{'s' if len(words) > 1 else ''} {shown}{more}")
