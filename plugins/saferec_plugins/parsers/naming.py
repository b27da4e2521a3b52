"""Which title is meant: the catalog decides between readings and completes missing years."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from saferec_core.data.catalog import Catalog
from saferec_core.data.titles import Title
from saferec_core.errors import ConfigError
from saferec_core.plugins.build import chosen_catalog
from saferec_core.plugins.contracts.parser import ParsedItem
from saferec_plugins.parsers.labels import phrases_like_titles
from saferec_plugins.parsers.readings import Rank

__all__ = ["Naming", "check_completion"]

BETWEEN_TITLES = re.compile(r"\s+[-–—―|~/]+\s+|[|;,\t\[({]")
AROUND_TITLES = " \t-–—―|~/,;:()[]{}"


def check_completion(year: Literal["required", "complete"], catalog_path: Path | None) -> None:
    """Refuse to complete years without a catalog.

    Raises:
        ConfigError: Years are to be completed, but there is no catalog.
    """
    if year == "complete" and catalog_path is None:
        raise ConfigError(
            "parser option year = complete takes missing years from the catalog; name one with "
            "--catalog-path, or set year = required"
        )


class Named(NamedTuple):
    """The chosen reading."""

    name: str
    year: int | None
    readable: bool


_item = ParsedItem._make
"""Makes an item of its fields in half the time; there is one for every title of every completion."""


class Naming:
    """Decides which title the readings of a line mean."""

    def __init__(self, catalog: Catalog | None, *, complete: bool) -> None:
        """Decide by *catalog*, if there is one.

        Args:
            catalog: Its titles decide between readings.
            complete: Whether a title may lack its year.
        """
        self._catalog = catalog
        self._complete = complete

    @classmethod
    def of(cls, year: Literal["required", "complete"], catalog_path: Path | None) -> Naming:
        """Read the catalog that a parser was given."""
        catalog = None if catalog_path is None else chosen_catalog(catalog_path)
        return cls(catalog, complete=year == "complete")

    def item(self, rank: Rank, origin: int = 0, start: int | None = None) -> ParsedItem:
        """Return the item of a rank.

        Args:
            rank: The rank.
            origin: What its positions count from.
            start: Where the item begins, if that is elsewhere.
        """
        further, readable = rank.further, True
        if rank.readings:
            name, year = self._dated(rank)
            if self._catalog is not None and (name, year) != rank.readings[0]:
                further = (*self._left_out(rank.readings[0], Title(name, year)), *further)
            if rank.mention is not None and not self._is_whole(Title(name, year), rank.mention):
                further = (rank.mention, *further)
        else:
            name, year, readable = self._bare(rank.bare)
        begin = origin + rank.start if start is None else start
        return _item((name, year, begin, origin + rank.end, origin + rank.text_end, further, readable))

    def _dated(self, rank: Rank) -> Title:
        """Return the first reading that the catalog has with exactly this year, else the most likely one.

        One that leaves out another title of that year does not count. Where every title needs its year, as in
        training, labels do not either: a policy could hide titles in them.
        """
        whole = rank.readings[0]
        if self._catalog is None or (len(rank.readings) == 1 and not (self._complete and rank.labeled)):
            return whole
        for title in (*rank.readings, *(rank.labeled if self._complete else ())):
            years = self._catalog.years_of(title.name)
            if title.year is None and years and self._complete:
                return Title(title.name, years[0] if len(years) == 1 else None)
            if title.year is not None and title.year in years and not self._leaves_out(whole, title):
                return title
        return whole

    def _left_out(self, whole: Title, title: Title) -> Iterator[Title]:
        """Yield the titles of the catalog, of any year, that the other words of *whole* may name."""
        assert self._catalog is not None
        behind = whole.name.removeprefix(title.name)
        if behind != whole.name:
            names = self._parts(behind)
        else:
            names = list(phrases_like_titles(whole.name.removesuffix(title.name)))
        for name in dict.fromkeys(names):
            if name != title.name:
                yield from (Title(name, year) for year in self._catalog.years_of(name))

    @staticmethod
    def _parts(words: str) -> Sequence[str]:
        """Return what may be titles of their own among words before or behind a title."""
        return [part.strip(AROUND_TITLES) for part in (words, *BETWEEN_TITLES.split(words))]

    def _is_whole(self, title: Title, mention: Title) -> bool:
        """Whether *title* is the catalog's with all the words that might be a remark with a *mention*."""
        return title.name.endswith(mention.name) and (self._catalog is None or self._has(title))

    def _leaves_out(self, whole: Title, title: Title) -> bool:
        """Whether the rest of a line's words name another title of the catalog with the same year."""
        rest = whole.name.removeprefix(title.name)
        rest = whole.name.removesuffix(title.name) if rest == whole.name else rest
        if rest == whole.name or whole.year != title.year:
            return False
        assert self._catalog is not None
        others = {
            self._catalog.find(part, title.year)
            for part in self._parts(rest)
            if self._has(Title(part, title.year))
        }
        return bool(others - {self._catalog.find(*title)})

    def _bare(self, names: Sequence[str | Title]) -> Named:
        """Return the title that a line without a year means.

        It gets the catalog's year if exactly one entry has the name. Of several readings the longest one
        that the catalog has counts.
        """
        most_likely = next((name for name in names if isinstance(name, str)), "")
        if not self._complete or self._catalog is None:
            return Named(most_likely, None, readable=False)
        for name in sorted(names, key=lambda name: -len(name if isinstance(name, str) else name.name) - 1):
            if isinstance(name, Title):
                if name.year in self._catalog.years_of(name.name):
                    return Named(*name, readable=True)
                continue
            years = self._catalog.years_of(name)
            if years:
                return Named(name, years[0] if len(years) == 1 else None, readable=True)
        return Named(most_likely, None, readable=any(map(str.isalnum, most_likely)))

    def knows(self, names: Sequence[str | Title]) -> bool:
        """Whether a line without a year names a title of the catalog."""
        return self._complete and self._catalog is not None and any(self._has(name) for name in names)

    def _has(self, name: str | Title) -> bool:
        assert self._catalog is not None
        if isinstance(name, Title):
            return name.year in self._catalog.years_of(name.name)
        return bool(self._catalog.years_of(name))
