"""The rows of a catalog's file: titles with their further names and ids."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from saferec_core.data.cell_text import not_as_text
from saferec_core.data.rows import row_name, try_values, year_or_none
from saferec_core.data.title_cells import (
    NO_YEAR,
    dated,
    plain_columns,
    title_of_row,
    with_year,
)
from saferec_core.data.titles import Title
from saferec_core.errors import DataError

__all__ = ["CatalogRow", "catalog_rows"]

_ID_COLUMNS = ("id", "item_id", "movieId", "imdb_id")
"""Columns that may hold the ids of titles; the first that the first row has counts for the whole file."""


class CatalogRow(NamedTuple):
    """A title that may be recommended."""

    title: Title
    aliases: Sequence[str] = ()
    """Its further names."""
    id: str = ""
    """Whatever identifies it elsewhere; empty if nothing does."""


def catalog_rows(path: Path) -> Iterator[CatalogRow]:
    """Yield the rows of a catalog; see `saferec_core.data.catalog.read_catalog`.

    Raises:
        DataError: A row is not a title.
    """
    id_column: str | None = None
    some_have_years, first_without = False, ""
    for number, value in try_values(path):
        where = f"catalog {path}, {row_name(path)} {number}"
        row = plain_columns(value) if isinstance(value, dict) else value
        names, identifier = _aliases(row, where), ""
        if isinstance(row, dict):
            id_column = id_column or next((column for column in _ID_COLUMNS if column in row), "")
            identifier = _id(row.get(id_column)) if id_column else ""
        title = _title(row, where)
        if isinstance(row, dict) and "year" not in row:  # some of MovieLens' titles have none
            some_have_years = some_have_years or title.year is not None
            if title.year is None and not first_without:
                columns = ", ".join(map(str, value))
                first_without = f"{where}: the year of {title.name!r} {NO_YEAR}. Columns: {columns}"
                first_without += _to_rename(value, "year", ("year", "date"))
        yield CatalogRow(title, names, identifier)
    if first_without and not some_have_years:
        raise DataError(first_without)


def _id(value: Any) -> str:
    """Return an id as text, or nothing."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _aliases(row: Any, where: str) -> Sequence[str]:
    value = row.get("aliases") if isinstance(row, dict) else None
    value = not_as_text(value, f"{where}: aliases")
    names = value.split("|") if isinstance(value, str) else [] if value is None else value
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise DataError(
            f"{where}: aliases must be a list of names, or names separated by '|', but is {value!r}"
        )
    return [name.strip() for name in names if name.strip()]


def _to_rename(row: Mapping[Any, Any], column: str, words: Sequence[str]) -> str:
    """Say which columns may be the one that is missing, as IMDb's ``primaryTitle``."""
    names = [str(name) for name in row if any(word in str(name).lower() for word in words)]
    return f"; rename {' or '.join(map(repr, names))} to {column!r}" if names else ""


def _title(row: Any, where: str) -> Title:
    if isinstance(row, DataError):
        raise DataError(f"{where}: {row}")
    if isinstance(row, dict):
        if "title" not in row:
            raise DataError(
                f"{where}: expected a column 'title', but the columns are {', '.join(map(str, row))}"
                f"{_to_rename(row, 'title', ('name', 'title'))}"
            )
        return title_of_row(row, where, may_lack_year=True)
    if isinstance(row, str) and (title := with_year(row)):
        return title
    if not isinstance(row, list | tuple) or len(row) != 2:
        raise DataError(f"{where}: expected an object with title and year, but got {reprlib.repr(row)}")
    name, year = row
    if not isinstance(name, str) or not name.strip():
        raise DataError(f"{where}: expected a title, but got {reprlib.repr(name)}")
    return dated(name.strip(), year_or_none(year, f"{where}: the year of {name!r}"))
