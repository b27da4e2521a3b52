"""Catalogs too large for the memory of every process: indexed once, in a file that all of them map."""

from __future__ import annotations

import json
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
import pyarrow as pa
import xxhash

from saferec_core.data.catalog_content import CatalogContent
from saferec_core.data.catalog_rows import CatalogRow
from saferec_core.data.column_views import as_array, one_chunk, text_views
from saferec_core.data.machine_cache import find_derived, make_derived
from saferec_core.data.mapped_titles import NO_YEAR, MappedTitles, Texts
from saferec_core.data.sealed_tables import write_sealed
from saferec_core.data.title_map import IndexedKey, TitleMap
from saferec_core.data.title_subtitles import SubtitleSearch, parts_of_name, the_fitting
from saferec_core.data.titles import Title, keys_of_entry

__all__ = ["map_catalog", "mapped_earlier"]

T = TypeVar("T")

_KIND = "catalog"


class _Mapped(CatalogContent):
    """The content of a mapped file; in another process it is mapped there."""

    def __init__(self, path: Path, *, match_subtitles: bool) -> None:
        source = pa.memory_map(str(path))
        titles, names, aliases, ids, subtitles = (pa.ipc.open_stream(source).read_all() for _ in range(5))
        mapped = MappedTitles(titles)
        super().__init__(
            mapped,
            _Sparse(aliases, json.loads),
            _Sparse(ids, str),
            TitleMap(names),
            _MappedSubtitles(subtitles, mapped) if match_subtitles else SubtitleSearch(()),
        )
        object.__setattr__(self, "_opened_with", (path, match_subtitles))

    def __reduce__(self) -> tuple[Any, ...]:
        return _opened, vars(self)["_opened_with"]


def _opened(path: Path, match_subtitles: bool) -> CatalogContent:
    return _Mapped(path, match_subtitles=match_subtitles)


def mapped_earlier(path: Path, *, match_subtitles: bool) -> CatalogContent | None:
    """Map the index that was made of a catalog file earlier; None if there is none."""
    made = find_derived(_KIND, path, {"subtitles": match_subtitles})
    return None if made is None else _Mapped(made, match_subtitles=match_subtitles)


def map_catalog(path: Path, rows: Iterable[CatalogRow], *, match_subtitles: bool) -> CatalogContent:
    """Index the *rows* of a catalog file in a file that all processes on this machine share, and map it.

    Raises:
        DataError: The file cannot be written, or a row is not a title.
    """
    made = make_derived(
        _KIND,
        path,
        {"subtitles": match_subtitles},
        lambda draft: write_sealed(draft, _tables(rows, match_subtitles=match_subtitles)),
    )
    return _Mapped(made, match_subtitles=match_subtitles)


def _tables(rows: Iterable[CatalogRow], *, match_subtitles: bool) -> Sequence[Any]:
    """Arrange the rows in tables, of which a batch at a time exists as Python objects."""
    names, aliases, ids = Texts(), Texts(), Texts()
    years, starts = array("h"), array("Q")
    entries = array("i")

    def keys() -> Iterator[IndexedKey]:
        for position, ((name, year), further, identifier) in enumerate(rows):
            names.add(position, name)
            years.append(NO_YEAR if year is None else year)
            if further:
                aliases.add(position, json.dumps(list(further)))
            if identifier:
                ids.add(position, identifier)
            if match_subtitles and (parts := parts_of_name(name)):
                starts.append(_start_hash(year, parts[0]))
                entries.append(position)
            for number, key in enumerate(keys_of_entry(name, further)):
                yield IndexedKey(key, year, position, number > 0)

    index = TitleMap.of_keys(keys()).table
    order = np.argsort(np.asarray(starts), kind="stable")
    subtitles = {"start": np.asarray(starts)[order], "entry": np.asarray(entries)[order]}
    titles = names.table().select(["text"]).append_column("year", pa.array(np.asarray(years)))
    return [titles, index, aliases.table(), ids.table(), pa.table(subtitles)]


class _Sparse(Mapping[int, T], Generic[T]):
    """Values of some positions, each made of a text of a mapped table."""

    def __init__(self, table: Any, made: Callable[[str], T]) -> None:
        self._positions = as_array(table.column("position")).data
        self._starts, self._letters = text_views(one_chunk(table.column("text")))
        self._made = made

    def __getitem__(self, position: int) -> T:
        row = bisect_left(self._positions, position)
        if row == len(self._positions) or self._positions[row] != position:
            raise KeyError(position)
        return self._made(str(self._letters[self._starts[row] : self._starts[row + 1]], "utf-8"))

    def __iter__(self) -> Iterator[int]:
        return iter(self._positions)

    def __len__(self) -> int:
        return len(self._positions)


class _MappedSubtitles:
    """Finds titles as a `SubtitleSearch` does."""

    def __init__(self, table: Any, titles: Sequence[Title]) -> None:
        self._rows = [as_array(table.column(name)).data for name in ("start", "entry")]
        self._titles = titles

    def find(self, title: Title) -> Title | None:
        """Return the entry that *title* must mean; None if there is none, or more than one."""
        parts = parts_of_name(title.name)
        if not parts or title.year is None:
            return None
        begins_so: dict[Title, Sequence[str]] = {}
        start, (starts, entries) = _start_hash(title.year, parts[0]), self._rows
        row = bisect_left(starts, start)
        while row < len(starts) and starts[row] == start:
            entry = self._titles[entries[row]]
            others = parts_of_name(entry.name)
            if entry.year == title.year and others[0] == parts[0]:  # two may share a hash
                begins_so[entry] = others
            row += 1
        return the_fitting(parts, map(itemgetter(1, 0), begins_so.items()))


def _start_hash(year: int | None, first_part: str) -> int:
    return xxhash.xxh3_64_intdigest(f"{year}\0{first_part}".encode(errors="surrogatepass"))
