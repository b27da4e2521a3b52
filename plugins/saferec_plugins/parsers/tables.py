"""Rows of tables: Markdown, CSV and TSV, with or without a header."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from saferec_plugins.parsers.years import bracketed_years

__all__ = ["Columns", "Row", "header_columns", "is_rule", "read_row"]

TITLE_NAMES = re.compile(
    r"(?:(?:movie|film|show)?[ _]?(?:title|name)s?|movies?|films?|titel|t[íi]tulo|titre|titolo|pel[íi]cula"
    r"|recommendations?|片名|电影|标题|タイトル|제목|название|фильм)"
    r"(?:\s*(?:[(&/+,]|\b(?:and|und|et|y)\b)\s*(?:release )?(?:year|jahr|ann[ée]e|a[ñn]o|年份?)\)?)?",
    re.IGNORECASE,
)
YEAR_NAMES = re.compile(
    r"(?:release[ _]?)?(?:years?|dates?)|year of release|released|jahr|ann[ée]e|a[ñn]o|anno|年份|年|год|연도",
    re.IGNORECASE,
)
NUMBER_NAMES = re.compile(r"#|no\.?|nr\.?|rank|ranking|position|id|index|platz|number", re.IGNORECASE)

RULE = re.compile(r"[\s|:+=\-–—]*[-–—=]{2}[\s|:+=\-–—]*")
NUMBER = re.compile(r"\W*[0-9]{1,3}\W*")
YEAR = re.compile(r"\W*(?:1[89]|20)[0-9]{2}\W*")

KEYED = re.compile(r"\s*(?:[0-9]{1,3}[.)]\s*)?[*_]{0,2}[^\W\d_][^\W\d_ ]{1,20}[*_]{0,2}\s?:\s")
"""A cell that names its own column."""

CELL = {
    "|": re.compile(r"(?:[^|\\]|\\.)*"),
    **{sign: re.compile(rf' *"(?:[^"]|"")*" *|[^{sign}]*') for sign in (",", ";", "\t")},
}


@dataclass(frozen=True)
class Columns:
    """The columns of a table with titles and years."""

    sign: str
    """Separator of the cells."""
    title: int
    year: int | None


class Row(NamedTuple):
    """The cells of a row, as positions in its line."""

    numbered: bool
    """Whether an earlier cell contains the number of the row."""
    title: tuple[int, int]
    year: int | None
    """The year, if it has a cell of its own."""


def is_rule(shadow: str) -> bool:
    """Whether a line is nothing but the rule under a table's header."""
    return RULE.fullmatch(shadow) is not None


def header_columns(shadow: str) -> Columns | None:
    """Read the line as a header; None if it names no column of titles."""
    for sign in CELL:
        if sign in shadow:
            names = [shadow[start:end].strip(" *_\"'") for start, end in _cells(shadow, sign)]
            titles = [column for column, name in enumerate(names) if TITLE_NAMES.fullmatch(name)]
            years = [column for column, name in enumerate(names) if YEAR_NAMES.fullmatch(name)]
            others = [name for name in names if NUMBER_NAMES.fullmatch(name)]
            if titles and (sign == "|" or years or others):
                return Columns(sign, titles[0], years[0] if years else None)
    return None


def read_row(shadow: str, columns: Columns | None) -> Row | None:
    """Read the line as a row of the table with these *columns*, or of a Markdown table without a header."""
    if columns is not None and columns.sign in shadow:
        cells = _cells(shadow, columns.sign)
        if columns.title < len(cells):
            start, end = cells[columns.title]
            if not shadow[start:end].strip():
                return None
            year = None
            if columns.year is not None and columns.year < len(cells):
                year = _year(shadow[slice(*cells[columns.year])])
            return Row(_numbered(shadow, cells[: columns.title]), _trimmed(shadow, start, end), year)
    if not shadow.lstrip().startswith("|") and shadow.count("|") < 2:
        return None
    cells = _cells(shadow, "|")
    texts = [shadow[start:end] for start, end in cells]
    dated = [column for column, text in enumerate(texts) if next(bracketed_years(text), None)]
    keyed = [text for text in texts if KEYED.match(text)]
    if len(dated) > 1 or len(keyed) > 1:
        return None  # several titles on a line, or "Title: Saw | Year: 2004"
    titled = dated[0] if dated else None
    if titled is None:
        titled = next(
            (
                column
                for column, text in enumerate(texts)
                if any(map(str.isalnum, text)) and not (column == 0 and NUMBER.fullmatch(text))
            ),
            None,
        )
    if titled is None:
        return None
    years = [year for column, text in enumerate(texts) if column != titled and (year := _year(text))]
    return Row(
        _numbered(shadow, cells[:titled]), _trimmed(shadow, *cells[titled]), years[0] if years else None
    )


def _cells(shadow: str, sign: str) -> list[tuple[int, int]]:
    cells, position = [], 0
    if sign == "|":
        position = len(shadow) - len(shadow.lstrip())
        position += shadow.startswith("|", position)
    while position <= len(shadow):
        match = CELL[sign].match(shadow, position)
        assert match is not None, "it may match nothing"
        cells.append((position, match.end()))
        position = match.end() + 1
    if sign == "|" and len(cells) > 1 and not shadow[slice(*cells[-1])].strip():
        cells.pop()
    return cells


def _numbered(shadow: str, cells: Sequence[tuple[int, int]]) -> bool:
    return any(NUMBER.fullmatch(shadow[start:end]) for start, end in cells)


def _year(text: str) -> int | None:
    return int("".join(filter(str.isdigit, text))) if YEAR.fullmatch(text) else None


def _trimmed(shadow: str, start: int, end: int) -> tuple[int, int]:
    text = shadow[start:end]
    return start + len(text) - len(text.lstrip()), start + len(text.rstrip())
