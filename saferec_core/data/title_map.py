"""Titles by the million: looked up in batches, in memory that processes share."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import islice
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash

from saferec_core.data.column_views import as_array, one_chunk, text_views
from saferec_core.data.mapped_titles import NO_YEAR
from saferec_core.data.title_names import may_have_more_names
from saferec_core.data.title_tiers import UNDATED, NamedEntry, Tiers, by_nearness, the_one, tiers_of
from saferec_core.data.titles import NameKey, Title, keys_as_written, name_keys
from saferec_core.errors import DataError

__all__ = ["IndexedKey", "TitleMap"]

Positions = npt.NDArray[np.int64]

_SCHEMA = pa.schema(
    [
        ("hash", pa.uint64()),
        ("year", pa.int16()),
        ("entry", pa.int32()),
        ("article", pa.uint8()),
        ("alias", pa.uint8()),
        ("form", pa.large_string()),
    ]
)

_ARTICLES = ("", "the", "a", "an")
"""The articles that the column ``article`` numbers."""

_ARTICLE_NUMBERS = {article: number for number, article in enumerate(_ARTICLES)}

_BATCH = 1 << 16


class IndexedKey(NamedTuple):
    """A name of an entry, as it is compared."""

    key: NameKey
    year: int | None
    entry: int
    is_alias: bool
    """Whether the entry has another name of its own."""


class TitleMap:
    """Finds titles as a :class:`~saferec_core.data.titles.TitleIndex` does, by an Arrow table.

    The table has a row per name: the hash of its normal form, its year, the entry that it leads to, its
    article, whether it is an alias, and the normal form itself, sorted by hash and year. Names in brackets
    have rows of their own. Read through a memory map it costs a process only the pages that its queries
    touch.

    Example:
        >>> titles = TitleMap.of([Title("The Matrix", 1999), Title("Saw", 2004)])
        >>> titles.find_many(["Matrix, The", "Saw"], [2000, 2010], tolerance=1).tolist()
        [0, -1]
    """

    def __init__(self, table: Any) -> None:
        """Look titles up in *table*, as `table` returned it.

        Raises:
            DataError: It is not such a table.
        """
        if table.schema.names != _SCHEMA.names or not table.schema.equals(_SCHEMA):
            raise DataError(f"a title map has the columns {', '.join(_SCHEMA.names)}; got {table.schema}")
        self.table = table
        """The Arrow table."""
        self._hashes, self._years, self._entries, self._articles, self._aliases = (
            as_array(table.column(name)) for name in ("hash", "year", "entry", "article", "alias")
        )
        self._forms = one_chunk(table.column("form"))
        # A title at a time is looked up through views: an array takes three times as long for one number.
        columns = (self._hashes, self._years, self._entries, self._articles, self._aliases)
        self._views = tuple(column.data for column in columns)
        self._form_views = text_views(self._forms)

    @classmethod
    def of(
        cls, titles: Iterable[Title], entries: Iterable[int] | None = None, *, aliases: int = 0
    ) -> TitleMap:
        """Index *titles*; of two with the same normal form and year `find` finds the first.

        Args:
            titles: Names with their years.
            entries: What each of them leads to; its own position if not given.
            aliases: How many of the *titles*, the last ones, are further names of entries.

        Raises:
            DataError: A year lies outside -32768..32767.
        """
        named = list(titles)
        leads = range(len(named)) if entries is None else list(entries)
        own_names = len(named) - aliases
        return cls.of_keys(
            IndexedKey(key, year, leads[position], number > 0 or position >= own_names)
            for position, (name, year) in enumerate(named)
            for number, key in enumerate(name_keys(name))
        )

    @classmethod
    def of_keys(cls, keys: Iterable[IndexedKey]) -> TitleMap:
        """Index *keys*; of those that agree equally well with a title, `find` finds the first.

        Raises:
            DataError: A year lies outside -32768..32767, or a name is not Unicode text.
        """
        keys = iter(keys)
        batches = []
        while some := list(islice(keys, _BATCH)):  # objects of a batch alone are in memory
            try:
                batches.append(_as_batch(some))
            except OverflowError as error:
                raise DataError(f"a title map holds years of four digits: {error}") from error
            except UnicodeEncodeError as error:
                raise DataError(f"a title map holds names in Unicode: {error}") from error
        table = pa.Table.from_batches(batches, schema=_SCHEMA).combine_chunks()
        hashes, years = as_array(table.column("hash")), as_array(table.column("year"))
        # By hash for the binary search, then by year; by position last, so that of equals the first is found.
        order = np.lexsort((np.arange(len(hashes)), years, hashes))
        return cls(table.take(pa.array(order)).combine_chunks())

    def __len__(self) -> int:
        return len(self._hashes)

    def find(self, name: str, year: int | None, *, tolerance: int) -> int | None:
        """Look a title up; see `saferec_core.data.titles.TitleIndex.find`."""
        for key in name_keys(name):
            names = self.named(key.form)
            if tiers := by_nearness(names, article=key.article, year=year, tolerance=tolerance):
                return the_one(tiers)
        return None

    def find_many(self, names: Sequence[str], years: Sequence[int | None], *, tolerance: int) -> Positions:
        """Look titles up.

        Args:
            names: N titles, by any of their names, in any spelling that has the same normal form.
            years: Their N years of release; None where it is not known.
            tolerance: Maximum difference in release year, in years, for an entry with the very same name.

        Returns:
            N entries; -1 for a title that is missing or ambiguous.
        """
        asked_years = np.array(
            [NO_YEAR if year is None else year for _, year in zip(names, years, strict=True)], dtype=np.int64
        )
        entries = np.full(len(asked_years), -1, dtype=np.int64)
        # All titles as they are written, then the few without a match that have further names, one by one.
        matched, nearest = self._nearest(*keys_as_written(names), asked_years, tolerance)
        entries[matched] = nearest
        unmatched = np.ones(len(entries), dtype=np.bool_)
        unmatched[matched] = False
        for title in np.flatnonzero(unmatched).tolist():
            if may_have_more_names(names[title]):
                entry = self.find(names[title], years[title], tolerance=tolerance)
                entries[title] = -1 if entry is None else entry
        return entries

    def named(self, normal_form: str) -> Sequence[NamedEntry]:
        """Return each name of an entry that has this normal form; see `TitleIndex.named`."""
        form, digest = _encoded(normal_form), _hash(normal_form)
        hashes, years, entries, articles, aliases = self._views
        starts, letters = self._form_views
        row, names = bisect_left(hashes, digest), []
        while row < len(hashes) and hashes[row] == digest:
            if letters[starts[row] : starts[row + 1]] == form:  # two forms may share a hash
                year = None if years[row] == NO_YEAR else years[row]
                names.append(NamedEntry(_ARTICLES[articles[row]], year, entries[row], bool(aliases[row])))
            row += 1
        return names

    def tiers(self, name: str, year: int | None, *, tolerance: int) -> Tiers:
        """Return all entries that may be meant by a title, in tiers: see `tiers_of`."""
        for key in name_keys(name):
            tiers = tiers_of(self.named(key.form), article=key.article, year=year, tolerance=tolerance)
            if tiers:
                return tiers
        return []

    def years_of(self, name: str) -> Sequence[int | None]:
        """Return the years of all entries with this name; see `TitleIndex.years_of`."""
        for key in name_keys(name):
            if names := sorted(self.named(key.form), key=attrgetter("entry")):
                own = [each for each in names if not each.is_alias] or names
                return list(dict.fromkeys(each.year for each in own))
        return ()

    def _nearest(
        self, forms: Sequence[str], articles: Sequence[str], years: Positions, tolerance: int
    ) -> tuple[Positions, Positions]:
        """Return which of N names match any entry, and the entries: `the_one` for a batch.

        A candidate is a row of the table with the hash of a name; names have from none to several.
        """
        # Candidates of all names in one flat array: a name's are the run of rows with its hash.
        first, counts = self._runs_of(_hashes(forms))
        name = np.repeat(np.arange(len(forms)), counts)  # (candidates,), ascending, as are all that follow
        row = np.arange(len(name)) + np.repeat(first - np.cumsum(counts) + counts, counts)

        asked, known = years[name], self._years[row].astype(np.int64)
        # A name without a year may be any year's, but only after all that have one.
        undated = (asked == NO_YEAR) | (known == NO_YEAR)
        distance = np.where(undated & (asked != known), UNDATED, np.abs(asked - known))
        asked_articles = np.fromiter(map(_ARTICLE_NUMBERS.__getitem__, articles), np.uint8, len(articles))
        other_article = self._articles[row] != asked_articles[name]
        fits = undated | (distance == 0) | ((distance <= tolerance) & ~other_article)
        fits &= _equal(self._forms, row, forms, name)  # two forms may share a hash
        nearness = 4 * distance + 2 * other_article + self._aliases[row]  # ordered as `nearness` orders

        name, row, nearness = name[fits], row[fits], nearness[fits]
        # Of each name's candidates only those as near as its nearest may be meant.
        least = np.full(len(forms), np.iinfo(np.int64).max)
        np.minimum.at(least, name, nearness)
        nearest = nearness == least[name]
        name, row = name[nearest], row[nearest]
        matched, start = np.unique(name, return_index=True)
        if not len(matched):
            return matched, matched
        # Two years equally near: neither is meant. Candidates are sorted by name: a slice each suffices.
        years_of_nearest = self._years[row]
        one_year = np.minimum.reduceat(years_of_nearest, start) == np.maximum.reduceat(
            years_of_nearest, start
        )
        return matched, np.where(one_year, self._entries[row[start]], -1).astype(np.int64)

    def _runs_of(self, digests: npt.NDArray[np.uint64]) -> tuple[Positions, Positions]:
        """Return for N hashes where their rows begin, and how many rows each has."""
        # In ascending order a binary search touches memory that the one before has touched.
        order = np.argsort(digests)
        first = np.empty(len(digests), dtype=np.int64)
        first[order] = np.searchsorted(self._hashes, digests[order])
        counts = np.zeros(len(digests), dtype=np.int64)
        running = np.arange(len(digests))
        while len(running):
            row = first[running] + counts[running]
            running, row = running[row < len(self)], row[row < len(self)]
            running = running[self._hashes[row] == digests[running]]
            counts[running] += 1
        return first, counts


def _encoded(text: str) -> bytes:
    # A shell may pass on bytes that are not UTF-8; they match nothing.
    return text.encode(errors="surrogatepass")


def _hash(form: str) -> int:
    return xxhash.xxh3_64_intdigest(_encoded(form))


def _hashes(forms: Sequence[str]) -> npt.NDArray[np.uint64]:
    return np.fromiter(map(_hash, forms), dtype=np.uint64, count=len(forms))


def _as_batch(keys: Sequence[IndexedKey]) -> Any:
    forms = [key.form for key, _, _, _ in keys]
    years = [NO_YEAR if year is None else year for _, year, _, _ in keys]
    columns = (
        _hashes(forms),
        np.array(years, dtype=np.int16),
        np.array([entry for _, _, entry, _ in keys], dtype=np.int32),
        np.array([_ARTICLE_NUMBERS[key.article] for key, _, _, _ in keys], dtype=np.uint8),
        np.array([is_alias for _, _, _, is_alias in keys], dtype=np.uint8),
    )
    return pa.record_batch([*map(pa.array, columns), pa.array(forms, type=pa.large_string())], schema=_SCHEMA)


def _equal(forms: Any, rows: Positions, asked: Sequence[str], names: Positions) -> npt.NDArray[np.bool_]:
    """Compare the forms of *rows* with those that are *asked* for, by the numbers of their names."""
    own = forms.take(pa.array(rows)).to_pylist()
    return np.fromiter(
        (form == asked[name] for form, name in zip(own, names.tolist(), strict=True)),
        dtype=np.bool_,
        count=len(own),
    )
