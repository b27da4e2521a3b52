"""Every title that may be recommended."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from saferec_core.data.rows import row_name, try_values, whole_year, year_or_none
from saferec_core.data.title_subtitles import SubtitleSearch
from saferec_core.data.titles import Title, TitleIndex, name_keys
from saferec_core.errors import DataError

__all__ = ["Catalog", "CatalogMatch", "read_catalog"]

_ID_COLUMNS = ("id", "item_id", "movieId", "imdb_id")
"""Columns that may hold the ids of titles; the first that the first row has counts for the whole file."""

_WITH_YEAR = re.compile(r"^(.*\S)\s*\((\d{4})\)$")


class CatalogMatch(NamedTuple):
    """What a title means in a catalog."""

    position: int | None
    """Position of the entry; None if the title may not be recommended, or is ambiguous."""
    title: Title
    """The title as written, completed by the entry: with its year if it had none, with the entry's own name
    if it was written by another, and with both if a subtitle was added or left out."""
    by_subtitle: bool = False
    """Whether the names agree but for a subtitle."""


class Catalog:
    """A set of titles that is looked up by the one title normal form."""

    def __init__(
        self,
        titles: Iterable[Title],
        *,
        year_tolerance: int = 2,
        aliases: Mapping[int, Sequence[str]] | None = None,
        match_subtitles: bool = False,
        ids: Mapping[int, str] | None = None,
    ) -> None:
        """Index *titles*.

        Args:
            titles: The titles; of two with the same normal form and year the first counts.
            aliases: Further names of titles, by position.
            year_tolerance: Maximum difference in release year, in years, when matching titles.
            match_subtitles: Whether a name that no title has means the only title of the year that has it
                with a subtitle, or without its own; see `saferec_core.data.title_subtitles.SubtitleSearch`.
            ids: Whatever identifies titles elsewhere, by position.
        """
        self.titles = tuple(titles)
        self.year_tolerance = year_tolerance
        self.aliases = dict(aliases or {})
        """Further names of titles, by position."""
        self.ids = dict(ids or {})
        """Ids of titles, by position; titles are never matched by them."""
        self.match_subtitles = match_subtitles
        """Whether titles are matched by their subtitles too."""
        self._index = TitleIndex(self.titles, self.aliases)
        self._by_subtitle = SubtitleSearch(self.titles if match_subtitles else ())
        self.match = lru_cache(maxsize=1 << 16)(self._match)  # a policy names the same titles over and over
        """Returns the `CatalogMatch` of a name and a year."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _catalog, (self.titles, self.year_tolerance, self.aliases, self.match_subtitles)

    def __len__(self) -> int:
        return len(self.titles)

    def find(self, name: str, year: int | None) -> int | None:
        """Return the position of the title; None if it may not be recommended, or is ambiguous."""
        return self.match(name, year).position

    def years_of(self, name: str) -> Sequence[int | None]:
        """Return the years of the titles with this name; see `TitleIndex.years_of`."""
        return self._index.years_of(name)

    def _match(self, name: str, year: int | None) -> CatalogMatch:
        position = self._index.find(name, year, tolerance=self.year_tolerance)
        if position is not None:
            own = self.titles[position]
            by_another = name_keys(name)[0].form != name_keys(own.name)[0].form
            return CatalogMatch(
                position, Title(own.name if by_another else name, own.year if year is None else year)
            )
        if self.match_subtitles and not self._index.tiers(name, year, tolerance=self.year_tolerance):
            entry = self._by_subtitle.find(Title(name, year))
            if entry is not None:
                return CatalogMatch(self._index.find(*entry, tolerance=0), entry, by_subtitle=True)
        return CatalogMatch(None, Title(name, year))


def _catalog(
    titles: Sequence[Title], year_tolerance: int, aliases: Mapping[int, Sequence[str]], match_subtitles: bool
) -> Catalog:
    """Index titles again, in another process."""
    return Catalog(titles, year_tolerance=year_tolerance, aliases=aliases, match_subtitles=match_subtitles)


def read_catalog(path: Path, *, year_tolerance: int = 2, match_subtitles: bool = False) -> Catalog:
    """Read a catalog: any file of rows with ``title`` and ``year``, or a data-only pickle.

    A row may also be a ``[title, year]`` pair or a string such as ``"Saw (2004)"``. An empty ``year`` is
    unknown. The column ``aliases`` holds further names of a title, as a list or separated by ``|``. The
    column ``id``, ``item_id``, ``movieId`` or ``imdb_id`` identifies it for other programs.
    *year_tolerance* and *match_subtitles* say how titles are matched; see `Catalog`.

    Raises:
        DataError: The file is missing or empty, a row lacks a title, a year is not a number, or a
            pickle contains anything that would run code.
    """
    if path.is_dir() or not path.exists():
        reason = "is a folder" if path.is_dir() else "does not exist"
        raise DataError(f"catalog {path} {reason}; name a file with --catalog-path")
    titles: list[Title] = []
    aliases: dict[int, Sequence[str]] = {}
    ids: dict[int, str] = {}
    id_column: str | None = None
    for number, value in try_values(path):
        where = f"catalog {path}, {row_name(path)} {number}"
        if names := _aliases(value, where):
            aliases[len(titles)] = names
        if isinstance(value, dict):
            id_column = id_column or next((column for column in _ID_COLUMNS if column in value), "")
            if identifier := _id(value.get(id_column)):
                ids[len(titles)] = identifier
        titles.append(_title(value, where))
    if not titles:
        raise DataError(f"catalog {path} is empty; wanted at least one row with title and year")
    return Catalog(
        titles, year_tolerance=year_tolerance, aliases=aliases, match_subtitles=match_subtitles, ids=ids
    )


def _id(value: Any) -> str:
    """Return an id as text, or nothing."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""


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
        if "title" not in row:
            raise DataError(
                f"{where}: wanted a column 'title', but the columns are {', '.join(map(str, row))}"
            )
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
    reads_year = whole_year if isinstance(row, dict) and "year" not in row else year_or_none
    return Title(name.strip(), reads_year(year, f"{where}: the year of {name!r}"))
