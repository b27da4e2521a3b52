"""Every title that may be recommended."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from saferec_core.data.rows import row_name, try_values, whole_year, year_if_any
from saferec_core.data.titles import Title, TitleIndex
from saferec_core.errors import DataError

__all__ = ["Catalog", "read_catalog"]

_WITH_YEAR = re.compile(r"^(.*\S)\s*\((\d{4})\)$")


class Catalog:
    """A set of titles that is looked up by the one title normal form."""

    def __init__(
        self,
        titles: Iterable[Title],
        *,
        year_tolerance: int = 2,
        aliases: Mapping[int, Sequence[str]] | None = None,
    ) -> None:
        """Index *titles*.

        Args:
            titles: The titles; of two with the same normal form and year the first counts.
            aliases: Further names of titles, by position.
            year_tolerance: Maximum difference in release year, in years, when matching titles.
        """
        self.titles = tuple(titles)
        self.year_tolerance = year_tolerance
        self.aliases = dict(aliases or {})
        """Further names of titles, by position."""
        self._index = TitleIndex(self.titles, self.aliases)
        look_up = partial(self._index.find, tolerance=year_tolerance)
        self._look_up = lru_cache(maxsize=1 << 16)(look_up)  # a policy names the same titles over and over

    def __reduce__(self) -> tuple[Any, ...]:
        return _catalog, (self.titles, self.year_tolerance, self.aliases)

    def __len__(self) -> int:
        return len(self.titles)

    def find(self, name: str, year: int | None) -> int | None:
        """Return the position of the title; None if it may not be recommended, or is ambiguous."""
        return self._look_up(name, year)

    def years_of(self, name: str) -> Sequence[int | None]:
        """Return the years of the titles with this name; see `TitleIndex.years_of`."""
        return self._index.years_of(name)


def _catalog(titles: Sequence[Title], year_tolerance: int, aliases: Mapping[int, Sequence[str]]) -> Catalog:
    """Index titles again, in another process."""
    return Catalog(titles, year_tolerance=year_tolerance, aliases=aliases)


def read_catalog(path: Path, *, year_tolerance: int = 2) -> Catalog:
    """Read a catalog: any file of rows with ``title`` and ``year``, or a data-only pickle.

    A row may also be a ``[title, year]`` pair or a string such as ``"Saw (2004)"``. An empty ``year`` is
    unknown. The column ``aliases`` holds further names of a title, as a list or separated by ``|``.

    Raises:
        DataError: The file is missing or empty, a row lacks a title, a year is not a number, or a
            pickle contains anything that would run code.
    """
    if path.is_dir() or not path.exists():
        reason = "is a folder" if path.is_dir() else "does not exist"
        raise DataError(f"catalog {path} {reason}; name a file with --catalog-path")
    titles: list[Title] = []
    aliases: dict[int, Sequence[str]] = {}
    for number, value in try_values(path):
        where = f"catalog {path}, {row_name(path)} {number}"
        if names := _aliases(value, where):
            aliases[len(titles)] = names
        titles.append(_title(value, where))
    if not titles:
        raise DataError(f"catalog {path} is empty; wanted at least one row with title and year")
    return Catalog(titles, year_tolerance=year_tolerance, aliases=aliases)


def _aliases(row: Any, where: str) -> Sequence[str]:
    value = row.get("aliases") if isinstance(row, dict) else None
    names = value.split("|") if isinstance(value, str) else [] if value is None else value
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise DataError(
            f"{where}: aliases must be a list of names, or names separated by '|', but is {value!r}"
        )
    return [name.strip() for name in names if name.strip()]


def _title(row: Any, where: str) -> Title:
    if isinstance(row, DataError):
        raise DataError(f"{where}: {row}")
    if isinstance(row, dict):
        name, year = row.get("title"), row.get("year")
        if "year" not in row and isinstance(name, str) and (match := _WITH_YEAR.match(name.strip())):
            name, year = match.groups()  # as MovieLens has it
    elif isinstance(row, list | tuple) and len(row) == 2:
        name, year = row
    elif isinstance(row, str) and (match := _WITH_YEAR.match(row)):
        name, year = match.groups()
    else:
        raise DataError(f"{where}: wanted an object with title and year, but got {reprlib.repr(row)}")
    if not isinstance(name, str) or not name.strip():
        raise DataError(f"{where}: wanted a title, but got {reprlib.repr(name)}")
    read = year_if_any if isinstance(row, dict) and "year" in row else whole_year
    return Title(name.strip(), read(year, f"{where}: the year of {name!r}"))
