"""Every title that may be recommended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple, Self

from saferec_core.data.catalog_content import CatalogContent
from saferec_core.data.catalog_rows import CatalogRow, catalog_rows
from saferec_core.data.title_subtitles import SubtitleSearch
from saferec_core.data.title_tiers import NamedEntry
from saferec_core.data.titles import Title, TitleIndex, name_keys
from saferec_core.errors import DataError
from saferec_core.files import json_hash

__all__ = ["Catalog", "CatalogMatch", "read_catalog"]

IN_MEMORY = 100_000
"""Titles that are kept as Python objects (about 70 MB); of more, all are mapped from a file."""


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
        titles, aliases = tuple(titles), dict(aliases or {})
        subtitles = SubtitleSearch(titles if match_subtitles else ())
        content = CatalogContent(titles, aliases, dict(ids or {}), TitleIndex(titles, aliases), subtitles)
        self._keep(content, year_tolerance, match_subtitles=match_subtitles)

    @classmethod
    def of_content(cls, content: CatalogContent, *, year_tolerance: int, match_subtitles: bool) -> Self:
        """Return a catalog of what is indexed already, such as a mapped file."""
        catalog = cls.__new__(cls)
        catalog._keep(content, year_tolerance, match_subtitles=match_subtitles)
        return catalog

    def _keep(self, content: CatalogContent, year_tolerance: int, *, match_subtitles: bool) -> None:
        self._content = content
        self.titles: Sequence[Title] = content.titles
        self.year_tolerance = year_tolerance
        self.aliases: Mapping[int, Sequence[str]] = content.aliases
        """Further names of titles, by position."""
        self.ids: Mapping[int, str] = content.ids
        """Ids of titles, by position; titles are never matched by them."""
        self.match_subtitles = match_subtitles
        """Whether titles are matched by their subtitles too."""
        self._index = content.index
        self._by_subtitle = content.subtitles
        self.match = lru_cache(maxsize=1 << 16)(self._match)  # a policy names the same titles over and over
        """Returns the `CatalogMatch` of a name and a year."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _catalog, (self._content, self.year_tolerance, self.match_subtitles)

    def __len__(self) -> int:
        return len(self.titles)

    def find(self, name: str, year: int | None) -> int | None:
        """Return the position of the title; None if it may not be recommended, or is ambiguous."""
        return self.match(name, year).position

    def by_own_name(self, title: Title | str) -> Title | str:
        """Return a title with the name that its entry has; a name alone only where one title may be meant."""
        if not isinstance(title, str):
            return self.match(*title).title
        match = self.match(title, None)
        return title if match.by_subtitle else match.title.name

    def years_of(self, name: str) -> Sequence[int | None]:
        """Return the years of the titles with this name; see `TitleIndex.years_of`."""
        return self._index.years_of(name)

    def named(self, form: str) -> Sequence[NamedEntry]:
        """Return each name, aliases included, that has this normal form; see `TitleIndex.named`."""
        return self._index.named(form)

    def find_by_subtitle(self, title: Title) -> Title | None:
        """Return the only title that is this one but for a subtitle; None without `match_subtitles`."""
        return self._by_subtitle.find(title)

    @cached_property
    def content_hash(self) -> str:
        """Hash of the titles with their years, in order, and of their further names."""
        titles: Iterator[Any] = map(list, self.titles)  # as JSON, a title at a time
        return json_hash([titles, sorted(self.aliases.items())] if self.aliases else titles)

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


def _catalog(content: CatalogContent, year_tolerance: int, match_subtitles: bool) -> Catalog:
    """Return a catalog again, in another process."""
    return Catalog.of_content(content, year_tolerance=year_tolerance, match_subtitles=match_subtitles)


def read_catalog(path: Path, *, year_tolerance: int = 2, match_subtitles: bool = False) -> Catalog:
    """Read a catalog: any file of rows with ``title`` and ``year``, or a data-only pickle.

    A row may also be a ``[title, year]`` pair or a string such as ``"Saw (2004)"``. An empty ``year`` is
    unknown. The column ``aliases`` holds further names of a title, as a list or separated by ``|``. The
    column ``id``, ``item_id``, ``movieId`` or ``imdb_id`` identifies it for other programs.
    *year_tolerance* and *match_subtitles* say how titles are matched; see `Catalog`.

    Of more than ``IN_MEMORY`` titles none is kept in memory: they are indexed once on a machine, in a file
    that all processes map (see `saferec_core.data.machine_cache`).

    Raises:
        DataError: The file is missing or empty, a row lacks a title, a year is not a number, or a
            pickle contains anything that would run code.
    """
    if path.is_dir() or not path.exists():
        reason = "is a folder" if path.is_dir() else "does not exist"
        raise DataError(f"catalog {path} {reason}; name a file with --catalog-path")
    from saferec_core.data.mapped_catalog import map_catalog, mapped_earlier  # Arrow; not for --help

    content = mapped_earlier(path, match_subtitles=match_subtitles)
    if content is None:
        rows = catalog_rows(path)
        first = list(islice(rows, IN_MEMORY + 1))
        if not first:
            raise DataError(f"catalog {path} is empty; expected at least one row with title and year")
        if len(first) <= IN_MEMORY:
            return _in_memory(first, year_tolerance, match_subtitles=match_subtitles)
        content = map_catalog(path, chain(first, rows), match_subtitles=match_subtitles)
    return Catalog.of_content(content, year_tolerance=year_tolerance, match_subtitles=match_subtitles)


def _in_memory(rows: Sequence[CatalogRow], year_tolerance: int, *, match_subtitles: bool) -> Catalog:
    return Catalog(
        (row.title for row in rows),
        year_tolerance=year_tolerance,
        aliases={position: row.aliases for position, row in enumerate(rows) if row.aliases},
        match_subtitles=match_subtitles,
        ids={position: row.id for position, row in enumerate(rows) if row.id},
    )
