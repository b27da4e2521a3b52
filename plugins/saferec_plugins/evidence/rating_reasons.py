"""Written reasons of film ratings, such as "Rated R for strong grisly violence and language"."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from pydantic import Field

from saferec_core.config.choices import Section
from saferec_core.data.rows import Row
from saferec_core.data.traits import Trait
from saferec_core.errors import DataError
from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.evidence import EvidenceSource, Finding, Findings
from saferec_plugins.evidence.rules import Risk, Words, WordsByRisk, first_match, read_rules, rules_for
from saferec_plugins.evidence.title_columns import id_of, title_of

__all__ = ["RatingReasons", "ReasonRule"]

_RATED = re.compile(
    r"^\W*(?:rated\s+(?P<rating>[\w-]+)\b)?\W*(?:(?:on appeal\s+)?(?:for|due to|because of)\b)?\W*",
    re.IGNORECASE,
)
_CLAUSE_ENDS = re.compile(r"[,;.]")
_LONGEST = 160
_LIKELY = 0.5


class ReasonRule(Section):
    """The meaning of reasons for one trait."""

    risk: WordsByRisk
    """Risk: words that indicate it; the highest risk whose words occur counts."""
    open: Words | None = None
    """Words that leave the trait open; a reason with them counts only if it also names a risk of 0.5 or
    more."""
    silence: Risk | dict[str, Risk] | None = None
    """Risk of a title whose reason names nothing of the kind, for all ratings or for those named. Only
    for traits that reasons name as a matter of course; without it, silence is not evidence."""

    def if_silent(self, rating: str) -> float | None:
        """Return the risk of a title with this rating whose reason names nothing of the kind."""
        return self.silence.get(rating) if isinstance(self.silence, dict) else self.silence


class _Reason(NamedTuple):
    rating: str
    words: str
    """Without "Rated R for"."""
    year: int | None


@component
class RatingReasons(EvidenceSource):
    """Looks for words in the reason, by a table of rules with their meaning for each trait.

    The rules also define what silence means. A title without a reason has no findings, unless it is rated G,
    which needs no reason.
    """

    path: Path
    """The ratings (JSONL, CSV, TSV or Parquet), a row per title."""
    rules_path: Path | None = None
    """Own rules (YAML: trait, then risk, open and silence); the built-in ones if not given."""
    silent_from: int = Field(default=1990, ge=0)
    """First year in which silence is evidence: older titles were rated by other standards, and without
    reasons. Of a title without a year it is not."""
    reason_column: str = "reason"
    """Column of the reason; it may be missing where there are only ratings."""
    rating_column: str = "rating"
    """Column of the rating; without one it is read from "Rated R for ..."."""
    title_column: str = "title"
    """Column of the title."""
    year_column: str = "year"
    """Column of the year; without one, the title must read "Title (Year)"."""
    id_column: str | None = None
    """Column with an id, such as IMDb's, that distinguishes films of one name and year."""

    def __call__(self, rows: Iterable[Row], traits: Mapping[str, Trait]) -> Iterator[Findings]:
        """Yield the findings of each title's reason."""
        rules = rules_for(traits, self._rules, self.rules_path)
        for row in rows:
            title = title_of(row, self.title_column, self.year_column)
            reason = self._reason(row, title.year)
            possible = (self._finding(trait, rule, reason) for trait, rule in rules.items())
            findings = tuple(finding for finding in possible if finding is not None)
            yield Findings(title, findings, id_of(row, self.id_column))

    @cached_property
    def _rules(self) -> dict[str, ReasonRule]:
        return read_rules(ReasonRule, self.rules_path, "rating_reasons.yaml")

    def _reason(self, row: Row, year: int | None) -> _Reason:
        text, rating = row.get(self.reason_column), row.get(self.rating_column)
        for column, value in ((self.reason_column, text), (self.rating_column, rating)):
            if value is not None and not isinstance(value, str):
                raise DataError(f"{column!r} must be text, but is {value!r}")
        start = _RATED.match(text or "")
        assert start is not None  # the pattern matches the empty text
        return _Reason(
            _usual_spelling(rating or start["rating"] or ""), (text or "")[start.end() :].strip(), year
        )

    def _finding(self, trait: str, rule: ReasonRule, reason: _Reason) -> Finding | None:
        named = first_match(rule.risk, reason.words)
        if rule.open is not None and rule.open.search(reason.words) and (named is None or named[0] < _LIKELY):
            return None
        if named is not None:
            risk, words = named
            return Finding(trait, risk, f'"{_whole_words(words)}" in "{_clause(words)}"')
        risk_of_silence = rule.if_silent(reason.rating)
        if risk_of_silence is None or reason.year is None or reason.year < self.silent_from:
            return None
        if reason.words:
            return Finding(trait, risk_of_silence, f'nothing of the kind in "{_short(reason.words)}"')
        return Finding(trait, risk_of_silence, "rated G") if reason.rating == "G" else None


def _usual_spelling(rating: str) -> str:
    """Return the usual spelling of ratings such as "PG13" and "nc-17"."""
    letters = "".join(filter(str.isalnum, rating)).upper()
    return {"PG13": "PG-13", "NC17": "NC-17"}.get(letters, letters)


def _whole_words(match: re.Match[str]) -> str:
    """Return the matched words, completed where a rule gives only a part ("tortur")."""
    text, start, end = match.string, match.start(), match.end()
    while start > 0 and text[start - 1].isalnum():
        start -= 1
    while end < len(text) and text[end].isalnum():
        end += 1
    return text[start:end]


def _clause(match: re.Match[str]) -> str:
    """Return the part of the reason, between commas, that contains the matched words."""
    text = match.string
    starts = [end.end() for end in _CLAUSE_ENDS.finditer(text, 0, match.start())]
    ending = _CLAUSE_ENDS.search(text, match.end())
    return text[starts[-1] if starts else 0 : ending.start() if ending else len(text)].strip()


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3].rstrip() + "..."
