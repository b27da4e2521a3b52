"""Titles by the million: looked up in batches, in memory that processes share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from saferec_core.data.title_tiers import NamedEntry, Tiers, tiers_of
from saferec_core.data.titles import Title, article_of, normal_form
from saferec_core.errors import DataError

__all__ = ["TitleMap"]

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
"""What the column ``article`` numbers."""

_FARTHEST = 1 << 17
"""Years beyond it are as far from every year of the table, which are of 16 bits, as it is."""

_NUMPY = {pa.uint64(): np.uint64, pa.int16(): np.int16, pa.int32(): np.int32, pa.uint8(): np.uint8}


class TitleMap:
    """Finds titles as a :class:`~saferec_core.data.titles.TitleIndex` does, by an Arrow table.

    The table has a row per name: the hash of its normal form, its year, the entry that it leads to, its
    article, whether it is an alias, and the normal form itself, sorted by hash and year. Read through a
    memory map it costs a process only the pages that its queries touch.

    Example:
        >>> titles = TitleMap.of([Title("The Matrix", 1999), Title("Saw", 2004)])
        >>> titles.find_many(["Matrix, The", "Saw"], [2000, 2010], tolerance=1).tolist()
        [0, -1]
    """

    def __init__(self, table: Any) -> None:
        """Look titles up in *table*, as `table` returned it.

        Raises:
            DataError: It is no such table.
        """
        if table.schema.names != _SCHEMA.names or not table.schema.equals(_SCHEMA):
            raise DataError(f"a title map has the columns {', '.join(_SCHEMA.names)}; got {table.schema}")
        self.table = table
        """The Arrow table."""
        self._hashes, self._years, self._entries, self._articles, self._aliases = (
            _as_array(table.column(name)) for name in ("hash", "year", "entry", "article", "alias")
        )
        self._forms = _one_chunk(table.column("form"))

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
        names = list(titles)
        forms = [normal_form(name) for name, _ in names]
        try:
            years = np.fromiter((year for _, year in names), dtype=np.int16, count=len(names))
        except OverflowError as error:
            raise DataError(f"a title map holds years of four digits: {error}") from error
        places = np.arange(len(names)) if entries is None else np.fromiter(entries, dtype=np.int32)
        hashes = _hashes(forms)
        order = np.lexsort((np.arange(len(names)), years, hashes))
        articles = np.array([_ARTICLES.index(article_of(name)) for name, _ in names], dtype=np.uint8)
        is_alias = (np.arange(len(names)) >= len(names) - aliases).astype(np.uint8)
        columns = (hashes, years, places.astype(np.int32), articles, is_alias)
        ordered = [*(column[order] for column in columns), [forms[place] for place in order]]
        return cls(pa.table(ordered, schema=_SCHEMA))

    def __len__(self) -> int:
        return len(self._hashes)

    def find(self, name: str, year: int, *, tolerance: int) -> int | None:
        """Look one title up; see `find_many`."""
        (entry,) = self.find_many([name], [year], tolerance=tolerance)
        return None if entry < 0 else int(entry)

    def find_many(self, names: Sequence[str], years: Sequence[int], *, tolerance: int) -> Positions:
        """Look titles up.

        Args:
            names: N titles in any spelling that has the same normal form.
            years: Their N years of release.
            tolerance: By how many years an entry may miss its year. The nearest year is taken, of two
                equally near the earlier one.

        Returns:
            N entries, -1 for a title that is not there.
        """
        forms = [normal_form(name) for name in names]
        hashes = _hashes(forms)
        wanted = np.asarray([max(-_FARTHEST, min(year, _FARTHEST)) for year in years], dtype=np.int64)
        row = np.searchsorted(self._hashes, hashes)
        found = np.full(len(forms), -1, dtype=np.int64)
        nearest = np.full(len(forms), min(tolerance, 2 * _FARTHEST) + 1, dtype=np.int64)
        open_ = np.flatnonzero(row < len(self))
        while len(open_):  # one turn for each name that shares a hash: a handful
            rows = row[open_]
            same = self._hashes[rows] == hashes[open_]
            open_, rows = open_[same], rows[same]
            distance = np.abs(self._years[rows].astype(np.int64) - wanted[open_])
            nearer = distance < nearest[open_]  # earlier years come first and win ties
            nearer[nearer] = self._spelt(rows[nearer], forms, open_[nearer])
            found[open_[nearer]] = self._entries[rows[nearer]]
            nearest[open_[nearer]] = distance[nearer]
            row[open_] += 1
            open_ = open_[row[open_] < len(self)]
        return found

    def tiers(self, name: str, year: int, *, tolerance: int) -> Tiers:
        """Return all entries that may be meant by a title, in tiers: see `tiers_of`."""
        form = normal_form(name)
        (digest,) = _hashes([form])
        row = int(np.searchsorted(self._hashes, digest))
        names = []
        while row < len(self) and self._hashes[row] == digest:
            if abs(int(self._years[row]) - year) <= tolerance and self._forms[row].as_py() == form:
                article = _ARTICLES[self._articles[row]]
                is_alias = bool(self._aliases[row])
                names.append(NamedEntry(article, int(self._years[row]), int(self._entries[row]), is_alias))
            row += 1
        return tiers_of(names, article=article_of(name), year=year, tolerance=tolerance)

    def _spelt(self, rows: Positions, forms: Sequence[str], queries: Positions) -> npt.NDArray[np.bool_]:
        """Tell where the name in the row has the query's normal form, not its hash alone."""
        if not len(rows):
            return np.zeros(0, dtype=bool)
        asked = _strings([forms[query] for query in queries.tolist()])
        places = pa.Array.from_buffers(pa.int64(), len(rows), [None, pa.py_buffer(rows)])
        equal = pc.equal(self._forms.take(places), asked)
        same: npt.NDArray[np.bool_] = _as_array(equal.cast(pa.uint8())).astype(np.bool_)
        return same


def _strings(texts: Sequence[str]) -> Any:
    """Make an Arrow array of texts; Arrow's own conversion of a list imports pandas."""
    encoded = [_encoded(text) for text in texts]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
    return pa.LargeStringArray.from_buffers(len(texts), pa.py_buffer(ends), pa.py_buffer(b"".join(encoded)))


def _encoded(text: str) -> bytes:
    return text.encode(errors="surrogatepass")  # what a shell passes on may be no UTF-8; it is not found


def _hashes(forms: Sequence[str]) -> npt.NDArray[np.uint64]:
    digest = xxhash.xxh3_64_intdigest
    return np.fromiter(map(digest, map(_encoded, forms)), dtype=np.uint64, count=len(forms))


def _one_chunk(column: Any) -> Any:
    """Return a column in one piece; it is copied only if it is not in one."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _as_array(column: Any) -> Any:
    """Return a column without nulls as an array over the very same memory.

    Arrow's own conversion imports pandas.
    """
    chunk = _one_chunk(column) if isinstance(column, pa.ChunkedArray) else column
    array = np.frombuffer(chunk.buffers()[1], dtype=_NUMPY[chunk.type])
    return array[chunk.offset : chunk.offset + len(chunk)]
