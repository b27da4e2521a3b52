"""Severities of a parental guide, in its five categories."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from saferec_core.data.rows import Row
from saferec_core.data.traits import PARENT_GUIDE, Trait
from saferec_core.errors import ConfigError, DataError
from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.evidence import EvidenceSource, Finding, Findings
from saferec_plugins.evidence.title_columns import id_of, title_of
from saferec_plugins.oracles.risk import MOST_SEVERE, parent_guide_risk

__all__ = ["ParentGuide"]

_OTHER_SCALE = 10
"""Where the other usual scale ends."""
_BLANK, _BEYOND = "blank", "beyond the scale"
_NAMES = ("None", "Mild", "Moderate", "Severe")
_Category = Literal[
    "sex_nudity", "violence_gore", "profanity", "alcohol_drugs_smoking", "frightening_intense"
]


@component
class ParentGuide(EvidenceSource):
    """The risk is ``(w . s) / (3 * sum(w))`` with the trait's weights ``w`` and the severities ``s``.

    A severity is a number in 0..3, or None, Mild, Moderate or Severe; an empty one is unknown. A file with
    numbers above 3 has another scale, and is refused unless *highest* states its end; so is a file of words
    with blanks in which None never occurs, since pandas reads "None" as a blank. A category is looked up
    under its own name (``sex_nudity``), under IMDb's ("Sex & Nudity"), or in a list
    ``severity`` of all five in the order sex_nudity, violence_gore, profanity, alcohol_drugs_smoking,
    frightening_intense.

    For a trait to which no category matters there is no finding (the Safe-Rank-GRPO paper's reference
    implementation takes it for a risk of 0). Nor is there one where the severity of a category that matters
    to the trait is unknown.
    """

    path: Path
    """The guide (JSONL, CSV, TSV or Parquet), a row per title."""
    columns: dict[_Category, str] = Field(default_factory=dict)
    """Column of a category, where it has a name of its own."""
    highest: float = Field(default=MOST_SEVERE, gt=0)
    """Highest number of the scale; severities are read as shares of it."""
    blank: Literal["unknown", "none"] | None = None
    """Meaning of a blank severity: unknown, or nothing of the kind. Needed for files with blanks that use the
    words Mild, Moderate and Severe, but never None."""
    severity_column: str = "severity"
    """Column of a list with all five severities."""
    title_column: str = "title"
    """Column of the title."""
    year_column: str = "year"
    """Column of the year; without one, the title must read "Title (Year)"."""
    id_column: str | None = None
    """Column with an id, such as IMDb's, that distinguishes films of one name and year."""

    def __call__(self, rows: Iterable[Row], traits: Mapping[str, Trait]) -> Iterator[Findings]:
        """Yield the risk that the guide gives each title."""
        for row in rows:
            title = title_of(row, self.title_column, self.year_column)
            severities = self._severities(row)
            possible = (_finding(name, trait.weights, severities) for name, trait in traits.items())
            findings = tuple(finding for finding in possible if finding is not None)
            yield Findings(title, findings, id_of(row, self.id_column))
        self._check_file()

    def _severities(self, row: Row) -> list[float | None]:
        """Return the severities in the order of the categories, None where unknown."""
        listed = row.get(self.severity_column)
        if isinstance(listed, list):
            if len(listed) != len(PARENT_GUIDE):
                raise DataError(
                    f"{self.severity_column!r} must hold {len(PARENT_GUIDE)} severities ("
                    f"{', '.join(PARENT_GUIDE)}), but is {listed!r}"
                )
            return [self._severity(value, name) for name, value in zip(PARENT_GUIDE, listed, strict=True)]
        columns = {_letters(column): column for column in row}
        named = {str(category): column for category, column in self.columns.items()}
        severities = []
        for category in PARENT_GUIDE:
            own = named.get(category)
            if own is not None and own not in row:
                raise DataError(f"the column {own!r} is missing; columns: {', '.join(row)}")
            column = own or columns.get(_letters(category)) or columns.get(_letters(category) + "scenes")
            severities.append(None if column is None else self._severity(row[column], column))
        return severities

    def _severity(self, value: Any, column: str) -> float | None:
        """Read a severity as a number in 0..3, None if unknown."""
        text = "" if value is None else str(value).strip()
        if not text or text.casefold() == "nan":
            self._seen[_BLANK] = True
            return 0.0 if self.blank == "none" else None
        if text.capitalize() in _NAMES:
            self._seen[text.capitalize()] = True
            return float(_NAMES.index(text.capitalize()))
        try:
            number = float(text)
        except ValueError:
            number = -1.0
        if isinstance(value, bool) or not 0 <= number <= self.highest:
            if number <= _OTHER_SCALE:
                self._seen[_BEYOND] = self._seen.get(_BEYOND, number > self.highest)
            names = ", ".join(_NAMES)
            raise DataError(f"{column!r} must be 0..{self.highest:g}, or {names}, but is {value!r}")
        return number * MOST_SEVERE / self.highest

    def _check_file(self) -> None:
        """Refuse a file as a whole whose severities may mean something else.

        Raises:
            ConfigError: Its scale seems to be another one, or its blanks may have been the word None.
        """
        seen = self._seen
        if self.highest == MOST_SEVERE and seen.get(_BEYOND):
            raise ConfigError(
                f"parent-guide: {self.path} has severities between {MOST_SEVERE} and {_OTHER_SCALE}, but "
                f"they end at {MOST_SEVERE}; if this file has another scale, set its end, as in "
                f"highest: {_OTHER_SCALE}"
            )
        words = seen.keys() & set(_NAMES)
        if self.blank is None and words and "None" not in words and _BLANK in seen:
            raise ConfigError(
                f"parent-guide: {self.path} has blank severities and no None, which pandas reads as a "
                "blank; set the meaning of a blank with blank: none or blank: unknown"
            )

    @cached_property
    def _seen(self) -> dict[str, bool]:
        """What has occurred so far: words, blanks, numbers beyond the scale."""
        return {}


def _letters(name: str) -> str:
    """Return what "Sex & Nudity" and ``sex_nudity`` have in common."""
    return "".join(filter(str.isalpha, name)).casefold()


def _finding(trait: str, weights: Sequence[float], severities: Sequence[float | None]) -> Finding | None:
    weighed = [
        (weight, severity, name)
        for weight, severity, name in zip(weights, severities, PARENT_GUIDE, strict=True)
        if weight
    ]
    known = [(weight, severity) for weight, severity, _ in weighed if severity is not None]
    if not weighed or len(known) < len(weighed):
        return None
    risk = parent_guide_risk([severity for _, severity in known], [weight for weight, _ in known])
    return Finding(
        trait, risk, ", ".join(f"{name} {_severity_name(severity)}" for _, severity, name in weighed)
    )


def _severity_name(severity: float | None) -> str:
    if severity is None or severity != int(severity):
        return f"{severity} of {MOST_SEVERE}"
    return _NAMES[int(severity)]
