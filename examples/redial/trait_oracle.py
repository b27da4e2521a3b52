"""Risk per trait and film, from two public label sources and a table of rules."""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field

from saferec_core.lists import Title
from saferec_core.titles import TitleIndex

__all__ = ["YEAR_TOLERANCE", "FilmRisks", "TraitRule", "read_rules"]

YEAR_TOLERANCE = 2
"""By how many years sources may differ about a film; the default of saferec's own oracle."""

Row = Mapping[str, str]


class TraitRule(BaseModel):
    """What counts as evidence for one trait, and how a user would ask to be spared it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: dict[float, re.Pattern[str]]
    """Risk: what to look for in a rating reason."""
    kids_in_mind: dict[str, dict[int | str, float]] = Field(default_factory=dict)
    """Column: lowest score, or genre: risk."""
    sentences: list[str] = Field(min_length=1)

    def of_reason(self, row: Row) -> float:
        """Return the risk that a written rating reason tells of."""
        text = row["reason"].lower()
        return max((risk for risk, words in self.reason.items() if words.search(text)), default=0.0)

    def of_scores(self, row: Row) -> float:
        """Return the risk that a Kids-In-Mind row tells of."""
        risks = [0.0]
        for column, steps in self.kids_in_mind.items():
            if column == "genre":
                genres = (row["genre_1"], row["genre_2"])
                risks += [risk for genre, risk in steps.items() if genre in genres]
            else:
                score = int(row[column])
                risks += [risk for step, risk in steps.items() if score >= int(step)]
        return max(risks)


def read_rules(path: Path) -> dict[str, TraitRule]:
    """Read the rule table: trait to rule."""
    table = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {trait: TraitRule.model_validate(rule) for trait, rule in table.items()}


class FilmRisks:
    """Every film with a written rating reason, and its risk per trait.

    A film without one is not known. Kids-In-Mind alone is not enough: it raises the risk of films
    that are known, but does not tell of drugs, accidents and sexual violence at all.
    """

    def __init__(self, folder: Path, rules: Mapping[str, TraitRule]) -> None:
        """Judge the films of ``mpaa_reasons.csv.gz`` and ``kids_in_mind.csv.gz`` in *folder*."""
        risks: dict[Title, dict[str, float]] = {}
        for title, row in _films(folder / "mpaa_reasons.csv.gz"):
            found = {trait: rule.of_reason(row) for trait, rule in rules.items()}
            _raise_to(risks.setdefault(title, found), found)
        self.index = TitleIndex(risks)
        self.risks = list(risks.values())
        for title, row in _films(folder / "kids_in_mind.csv.gz"):
            position = self.index.find(*title, tolerance=1)
            if position is not None:
                found = {trait: rule.of_scores(row) for trait, rule in rules.items()}
                _raise_to(self.risks[position], found)

    def of(self, title: Title) -> Mapping[str, float] | None:
        """Return the risk of *title* per trait, or None if it is not known."""
        position = self.index.find(*title, tolerance=YEAR_TOLERANCE)
        return None if position is None else self.risks[position]


def _raise_to(risks: dict[str, float], others: Mapping[str, float]) -> None:
    """Keep the higher risk of each trait."""
    for trait, risk in others.items():
        risks[trait] = max(risk, risks[trait])


def _films(path: Path) -> Iterator[tuple[Title, Row]]:
    """Yield title and row of each film in a gzipped table."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield Title(row["title"], int(row["year"])), row
