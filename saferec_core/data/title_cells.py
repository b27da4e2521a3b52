"""Titles in the cells of rows: with their year in brackets, in a column of its own, or both."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from saferec_core.data.rows import year_or_none
from saferec_core.data.titles import Title
from saferec_core.errors import DataError

__all__ = [
    "NO_YEAR",
    "dated",
    "pair_of_object",
    "plain_columns",
    "title_of_row",
    "with_year",
    "without_own_year",
]

_WITH_YEAR = re.compile(
    r"(?P<name>.*\S)\s*\((?P<year>[0-9]{4})(?:\s*[-–—]\s*(?:[0-9]{4})?)?\s*\)\s*", re.DOTALL
)
"""As MovieLens writes titles: "Saw (2004)", of series "Fawlty Towers (1975-1979)"."""

_NULL = "\\N"

_OF_RELEASE = frozenset(
    [
        *("year", "releaseyear", "yearreleased", "yearofrelease", "startyear", "publicationyear"),
        *("date", "releasedate", "dateofrelease", "firstairdate", "publicationdate"),
    ]
)
"""Letters of other names that a year of release has; "updated_at" and "date_added" have another one."""

_FIRST_YEAR, _LAST_YEAR = 1800, 2099

NO_YEAR = (
    "is missing: expected a column 'year' (empty where it is not known), or the year in brackets behind "
    "the title"
)
"""What is wrong with a title that has none."""

_COLUMNS = frozenset(["title", "year", "aliases", "id", "item_id", "risk", "warnings", "severity"])


def with_year(text: str) -> Title | None:
    """Read a title with its year in brackets; None if there is no year."""
    match = _WITH_YEAR.fullmatch(text)
    return Title(match["name"].strip(), int(match["year"])) if match else None


def without_own_year(title: Title) -> Title:
    """Leave out a year in brackets that a title has beside it too: "Saw (2004)" of 2004 is "Saw"."""
    bracketed = with_year(title.name)
    return bracketed if bracketed is not None and bracketed.year == title.year else title


def dated(name: str, year: int | None) -> Title:
    """Return a title with its year, which may stand in brackets behind the name instead, or as well."""
    if year is not None:
        return without_own_year(Title(name, year))
    behind = with_year(name)
    return behind if behind is not None and _is_year(behind.year) else Title(name, None)


def _is_year(number: int | None) -> bool:
    """Whether four digits in brackets are certainly a year: those of "Room (1408)" are not."""
    return number is not None and _FIRST_YEAR <= number <= _LAST_YEAR


def pair_of_object(entry: Mapping[str, Any], where: str) -> tuple[Any, Any]:
    """Return the ``title`` and ``year`` of an object, as they are.

    Raises:
        DataError: It has no ``year``, but one under another name, such as ``release_year``.
    """
    name = entry.get("title")
    if "year" not in entry and not (isinstance(name, str) and with_year(name)):
        for column in entry:
            if "".join(filter(str.isalpha, column.lower())) in _OF_RELEASE:
                raise DataError(f"{where}: the year of {name!r} is called {column!r}; call it 'year'")
    return name, entry.get("year")


def plain_columns(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a row of titles with the columns that saferec knows in lower case, as "Title" and "YEAR"."""
    if "title" in row:
        return row
    plain = {name: str(name).lower() if str(name).lower() in _COLUMNS else name for name in row}
    if "title" not in plain.values() or len(set(plain.values())) < len(row):
        return row
    return {plain[name]: value for name, value in row.items()}


def title_of_row(row: Mapping[str, Any], where: str, *, may_lack_year: bool = False) -> Title:
    """Read the columns ``title`` and ``year``; without a column ``year``, the year in brackets.

    Args:
        row: The row.
        where: File and line, for messages.
        may_lack_year: Whether a title without a year in brackets is one whose year is not known, as in a
            file in which others have one.

    Raises:
        DataError: There is no title, or its year is missing or not a year.
    """
    name = row.get("title")
    if isinstance(name, int) and not isinstance(
        name, bool
    ):  # "1917", read as a number by what wrote the file
        name = str(name)
    if not isinstance(name, str) or not name.strip():
        raise DataError(f"{where}: expected a title, but got {name!r:.80}")
    name = name.strip()
    if name == _NULL:
        raise DataError(
            f"{where}: expected a title, but got {name!r}, which databases write where there is none"
        )
    what = f"{where}: the year of {name!r}"
    if "year" in row:
        return dated(name, year_or_none(row["year"], what))
    if (bracketed := with_year(name)) is not None:
        return bracketed
    if may_lack_year:
        return Title(name, None)
    raise DataError(f"{what} {NO_YEAR}")
