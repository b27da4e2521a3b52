"""Titles by the million: looked up in batches, in memory that processes share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from saferec_core.data.titles import UNDATED, NameKey, Title, name_keys
from saferec_core.errors import DataError

__all__ = ["TitleMap"]

Positions = npt.NDArray[np.int64]

_SCHEMA = pa.schema(
    [
        ("hash", pa.uint64()),
        ("year", pa.int16()),
        ("article", pa.uint8()),
        ("entry", pa.int32()),
        ("form", pa.large_string()),
    ]
)

_FARTHEST = 1 << 17
"""Years beyond it are as far from every year of the table, which are of 16 bits, as it is."""

_ARTICLES = {"": 0, "a": 1, "an": 2, "the": 3}

_NO_YEAR = np.iinfo(np.int16).min
"""Stands in the table for a year that is not known."""

_AMBIGUOUS = -2

_NUMPY = {pa.uint64(): np.uint64, pa.int16(): np.int16, pa.int32(): np.int32, pa.uint8(): np.uint8}


class TitleMap:
    """Finds titles as a :class:`~saferec_core.data.titles.TitleIndex` does, by an Arrow table.

    The table has a row per name: the hash of its normal form, its year, its article, the entry that it leads
    to and the normal form itself, sorted by hash and year. Names in brackets have rows of their own. Read
    through a memory map it costs a process only the pages that its queries touch.

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
        self._hashes, self._years, self._articles, self._entries = (
            _as_array(table.column(name)) for name in ("hash", "year", "article", "entry")
        )
        self._forms = _one_chunk(table.column("form"))

    @classmethod
    def of(cls, titles: Iterable[Title], entries: Iterable[int] | None = None) -> TitleMap:
        """Index *titles*; of two with the same normal form and year the first is found.

        Args:
            titles: Names with their years.
            entries: What each of them leads to; its own position if not given.

        Raises:
            DataError: A year lies outside -32768..32767.
        """
        named = list(titles)
        positions = list(range(len(named)) if entries is None else entries)
        keys = [name_keys(name) for name, _ in named]
        rows = [  # the names as written first, so that one in brackets takes no other's place
            *((own[0], place) for place, own in enumerate(keys)),
            *((key, place) for place, own in enumerate(keys) for key in own[1:]),
        ]
        forms = [key.form for key, _ in rows]
        try:
            years = np.fromiter(
                (_NO_YEAR if (year := named[place].year) is None else year for _, place in rows),
                dtype=np.int16,
                count=len(rows),
            )
        except OverflowError as error:
            raise DataError(f"a title map holds years of four digits: {error}") from error
        articles = np.fromiter((_ARTICLES[key.article] for key, _ in rows), np.uint8, len(rows))
        leads_to = np.fromiter((positions[place] for _, place in rows), np.int32, len(rows))
        hashes = _hashes(forms)
        order = np.lexsort((np.arange(len(rows)), years, hashes))
        order = order[_first_of_each(hashes, years, articles, forms, order)]
        return cls(
            pa.table(
                [hashes[order], years[order], articles[order], leads_to[order], [forms[i] for i in order]],
                schema=_SCHEMA,
            )
        )

    def __len__(self) -> int:
        return len(self._hashes)

    def find(self, name: str, year: int | None, *, tolerance: int) -> int | None:
        """Look one title up; see `find_many`."""
        (entry,) = self.find_many([name], [year], tolerance=tolerance)
        return None if entry < 0 else int(entry)

    def find_many(self, names: Sequence[str], years: Sequence[int | None], *, tolerance: int) -> Positions:
        """Look titles up.

        Args:
            names: N titles, by any of their names, in any spelling that has the same normal form.
            years: Their N years of release; None where it is not known.
            tolerance: By how many years an entry with the very same name may miss its year; the nearest
                counts.

        Returns:
            N entries; -1 for a title that is not there, or where several may be meant: see
            `saferec_core.data.titles.TitleIndex.find`.
        """
        keys = [name_keys(name) for name in names]
        found = self._find_forms([own[0] for own in keys], years, tolerance)
        further = [place for place in np.flatnonzero(found == -1).tolist() if len(keys[place]) > 1]
        for number in range(1, max((len(keys[place]) for place in further), default=1)):
            further = [place for place in further if found[place] == -1 and len(keys[place]) > number]
            asked = [keys[place][number] for place in further]
            found[further] = self._find_forms(asked, [years[place] for place in further], tolerance)
        return np.maximum(found, -1)

    def _find_forms(self, keys: Sequence[NameKey], years: Sequence[int | None], tolerance: int) -> Positions:
        """Look up one name of each title; `_AMBIGUOUS` where several entries may be meant."""
        forms = [key.form for key in keys]
        hashes = _hashes(forms)
        articles = np.fromiter((_ARTICLES[key.article] for key in keys), np.uint8, len(keys))
        undated = np.fromiter((year is None for year in years), np.bool_, len(keys))
        wanted = np.asarray([max(-_FARTHEST, min(year or 0, _FARTHEST)) for year in years], dtype=np.int64)
        row = np.searchsorted(self._hashes, hashes)
        found = np.full(len(forms), -1, dtype=np.int64)
        nearest = np.full(len(forms), 2 * UNDATED, dtype=np.int64)
        open_ = np.flatnonzero(row < len(self))
        while len(open_):  # one turn for each name that shares a hash: a handful
            rows = row[open_]
            same = self._hashes[rows] == hashes[open_]
            open_, rows = open_[same], rows[same]
            distance = self._closeness(
                rows, wanted[open_], articles[open_], undated[open_], min(tolerance, _FARTHEST)
            )
            counts = distance <= nearest[open_]
            counts[counts] = self._spelt(rows[counts], forms, open_[counts])
            queries, entries, distance = open_[counts], self._entries[rows[counts]], distance[counts]
            tied = (distance == nearest[queries]) & (distance > 1) & (entries != found[queries])
            nearer = distance < nearest[queries]  # of one year the first entry wins
            found[queries[nearer]] = entries[nearer]
            found[queries[tied]] = _AMBIGUOUS
            nearest[queries] = distance
            row[open_] += 1
            open_ = open_[row[open_] < len(self)]
        return found

    def _closeness(
        self,
        rows: Positions,
        wanted: Positions,
        articles: npt.NDArray[np.uint8],
        undated: npt.NDArray[np.bool_],
        tolerance: int,
    ) -> Positions:
        """Do as `saferec_core.data.titles.closeness` for many; beyond 2 * UNDATED: another film."""
        years = self._years[rows].astype(np.int64)
        other = self._articles[rows] != articles
        apart = np.abs(years - wanted)
        near = np.where(apart == 0, other, np.where(other | (apart > tolerance), 4 * UNDATED, 2 * apart))
        entry_undated = years == _NO_YEAR
        near = np.where(undated ^ entry_undated, UNDATED, near)
        return np.where(undated & entry_undated, other, near).astype(np.int64)

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


def _first_of_each(
    hashes: npt.NDArray[np.uint64],
    years: npt.NDArray[np.int16],
    articles: npt.NDArray[np.uint8],
    forms: Sequence[str],
    order: Positions,
) -> npt.NDArray[np.bool_]:
    """Mark, in *order*, the first of the rows that agree in year, article and form."""
    hashes, years = hashes[order], years[order]
    first = np.ones(len(order), dtype=bool)
    twins = np.r_[False, (hashes[1:] == hashes[:-1]) & (years[1:] == years[:-1])]
    met: set[tuple[str, int]] = set()
    for place in np.flatnonzero(twins).tolist():
        if not twins[place - 1]:
            met = {(forms[order[place - 1]], int(articles[order[place - 1]]))}
        key = forms[order[place]], int(articles[order[place]])
        first[place] = key not in met
        met.add(key)
    return first


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
