"""The title that a row of a source is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from saferec_core.data.rows import year_or_none
from saferec_core.data.title_cells import dated
from saferec_core.data.titles import Title
from saferec_core.errors import DataError

__all__ = ["id_of", "title_of"]


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
    title = dated(name, year_or_none(year, f"{year_column!r} of {name!r}"))
    if title.year is None and year_column not in row:
        raise DataError(f"expected the year of {name!r} in {year_column!r} or after the title, but got none")
    return title


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
