"""The title that a row of a source is about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from saferec_core.data.rows import whole_year
from saferec_core.data.titles import Title
from saferec_core.errors import DataError

__all__ = ["id_of", "title_of"]

_WITH_YEAR = re.compile(r"^(?P<name>.*\S)\s*\((?P<year>\d{4})(?:\s*[-\u2013]\s*(?:\d{4})?)?\)$")


def title_of(row: Mapping[str, Any], title_column: str, year_column: str) -> Title:
    """Read the title of a row; if the year has no column, it is taken from ``"Saw (2004)"``.

    Raises:
        DataError: There is no title, or no column of years and no year behind the title, or the year is not a
            number. A title whose year is empty has none.
    """
    name, year = row.get(title_column), row.get(year_column)
    if not isinstance(name, str) or not name.strip():
        raise DataError(f"expected a title in {title_column!r}, but got {name!r}")
    name = name.strip()
    if year is not None and str(year).strip():
        return Title(name, whole_year(year, f"{year_column!r} of {name!r}"))
    match = _WITH_YEAR.match(name)
    if match is None and year_column in row:
        return Title(name, None)
    if match is None:
        raise DataError(f"expected the year of {name!r} in {year_column!r} or after the title, but got none")
    return Title(match["name"], int(match["year"]))


def id_of(row: Mapping[str, Any], id_column: str | None) -> str:
    """Read the id of a row's film; empty if it has none.

    Raises:
        DataError: The row does not have the column.
    """
    if id_column is None:
        return ""
    if id_column not in row:
        raise DataError(f"the column {id_column!r} is missing; columns: {', '.join(row)}")
    value = row[id_column]
    if value is None or value != value:
        return ""
    return str(int(value) if isinstance(value, float) and value.is_integer() else value).strip()
