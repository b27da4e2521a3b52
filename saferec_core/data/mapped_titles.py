"""Titles in columns of a table: written a batch at a time, read one at a time."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np
import pyarrow as pa

from saferec_core.data.column_views import as_array, one_chunk, text_views
from saferec_core.data.titles import Title
from saferec_core.errors import DataError

__all__ = ["NO_YEAR", "MappedTitles", "Texts"]

NO_YEAR = int(np.iinfo(np.int16).min)
"""Stands in a column for an unknown year."""

_BATCH = 1 << 16


class Texts:
    """Texts by position, ascending."""

    def __init__(self) -> None:
        """Begin without a text."""
        self._positions = array("i")
        self._texts: list[str] = []
        self._chunks: list[Any] = []

    def add(self, position: int, text: str) -> None:
        """Add a text at a position after all others."""
        self._positions.append(position)
        self._texts.append(text)
        if len(self._texts) == _BATCH:
            self._end_chunk()

    def table(self) -> Any:
        """Return the columns ``position`` and ``text``.

        Raises:
            DataError: A text is not Unicode.
        """
        self._end_chunk()
        texts = pa.chunked_array(self._chunks, type=pa.large_string()).combine_chunks()
        return pa.table({"position": np.asarray(self._positions), "text": texts})

    def _end_chunk(self) -> None:
        try:
            self._chunks.append(pa.array(self._texts, type=pa.large_string()))
        except UnicodeEncodeError as error:
            raise DataError(f"names to be mapped must be Unicode text: {error}") from error
        self._texts.clear()


class MappedTitles(Sequence[Title]):
    """Titles of a mapped table, each an object only when it is asked for."""

    def __init__(self, table: Any) -> None:
        """Read the columns ``text`` and ``year``, an int16, of *table*."""
        self._starts, self._letters = text_views(one_chunk(table.column("text")))
        self._years = as_array(table.column("year")).data

    def __len__(self) -> int:
        return len(self._years)

    @overload
    def __getitem__(self, position: int) -> Title: ...

    @overload
    def __getitem__(self, position: slice) -> list[Title]: ...

    def __getitem__(self, position: int | slice) -> Title | list[Title]:
        """Return a title, or those of a slice."""
        if isinstance(position, slice):
            return list(map(self._at, range(*position.indices(len(self)))))
        if not -len(self) <= position < len(self):
            raise IndexError(f"title {position} of {len(self)}")
        return self._at(position % len(self))

    def __iter__(self) -> Iterator[Title]:
        return map(self._at, range(len(self)))

    def _at(self, position: int) -> Title:
        name = str(self._letters[self._starts[position] : self._starts[position + 1]], "utf-8")
        year = self._years[position]
        return Title(name, None if year == NO_YEAR else year)
