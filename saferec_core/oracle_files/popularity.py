"""How often titles are asked for, so that figures can say what matters to users."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from saferec_core.data.rows import numbered_rows, row_name, year_or_none
from saferec_core.data.title_map import TitleMap
from saferec_core.data.titles import Title
from saferec_core.errors import DataError

__all__ = ["popularity_of"]

_COLUMNS = ("count", "popularity", "votes", "imdb_votes", "ratings", "num_ratings", "mentions")
"""Columns that may say how popular a title is; the first that a file has."""


def popularity_of(
    titles: Sequence[Title], path: Path, *, column: str | None = None, year_tolerance: int = 2
) -> list[float]:
    """Return how popular each title is by a file of rows with title, year if it has one, and a number.

    Args:
        titles: Titles to look up.
        path: The file; several rows of one title are added up.
        column: Column of the number, by default the first of count, popularity, votes, imdb_votes, ratings,
            num_ratings and mentions; in a file without any of them each row counts as 1.
        year_tolerance: Maximum difference in release year, in years.

    Returns:
        N numbers, 0 for a title that the file does not contain.

    Raises:
        DataError: The file is malformed.
    """
    counts: dict[Title, float] = {}
    for number, row in numbered_rows(path):
        where = f"popularity {path}, {row_name(path)} {number}"
        name = row.get("title")
        if not isinstance(name, str) or not name.strip():
            raise DataError(f"{where}: expected a title, but got {name!r}; columns: {', '.join(row)}")
        title = Title(name.strip(), year_or_none(row.get("year"), f"{where}: the year of {name!r}"))
        counts[title] = counts.get(title, 0.0) + _count(row, column, where)
    if not counts:
        raise DataError(f"popularity {path} holds no rows; expected a title and a number")
    known, numbers = TitleMap.of(counts), list(counts.values())
    names, years = [title.name for title in titles], [title.year for title in titles]
    matches = known.find_many(names, years, tolerance=year_tolerance)
    return [numbers[row] if row >= 0 else 0.0 for row in matches.tolist()]


def _count(row: dict[str, Any], column: str | None, where: str) -> float:
    if column is not None and column not in row:
        raise DataError(f"{where}: the column {column!r} is missing; columns: {', '.join(row)}")
    column = column or next((name for name in _COLUMNS if name in row), None)
    if column is None:
        return 1.0
    value = row[column]
    if value is None or not str(value).strip():
        return 0.0
    try:
        count = float(value)
    except (TypeError, ValueError):
        count = math.nan
    if not 0 <= count < math.inf:
        raise DataError(f"{where}: {column!r} must be a number of at least 0, but is {value!r}")
    return count
