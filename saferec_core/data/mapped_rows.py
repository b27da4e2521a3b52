"""Rows that are kept in a file and read from it when they are asked for.

A row as Python objects takes about ten times the space of its text. Rows beyond a number that any machine
can hold are therefore written to an Arrow file, each as JSON text, and mapped into memory: what a run holds
no longer grows with its data, and what was read stays in memory only as long as there is room.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from itertools import islice
from typing import Any, Generic, TypeVar, overload

from saferec_core.data.rows import Row
from saferec_core.errors import DataError

__all__ = ["IN_MEMORY", "MappedRows", "row_texts"]

T = TypeVar("T")

IN_MEMORY = 20_000
"""Rows that are kept as Python objects; of more, all are mapped."""

_BATCH = 1024
_REMEMBERED = 4096
"""Rows that are kept as objects once they were read: siblings of a prompt share one."""


class MappedRows(Sequence[T], Generic[T]):
    """Rows of a mapped file, each made into what it stands for when it is read."""

    def __init__(self, texts: Any, made: Callable[[Row], T]) -> None:
        """Read rows where they are.

        Args:
            texts: The column that was written of `row_texts`, mapped.
            made: Turns a row into what this sequence holds.
        """
        self._texts, self._made = texts, made
        self._read = lru_cache(maxsize=_REMEMBERED)(self._at)

    def __len__(self) -> int:
        return len(self._texts)

    @overload
    def __getitem__(self, position: int) -> T: ...

    @overload
    def __getitem__(self, position: slice) -> list[T]: ...

    def __getitem__(self, position: int | slice) -> T | list[T]:
        """Read a row, or the rows of a slice."""
        if isinstance(position, slice):
            return [self._at(n) for n in range(*position.indices(len(self)))]
        if not -len(self) <= position < len(self):
            raise IndexError(f"row {position} of {len(self)}")
        return self._read(position % len(self))

    def __iter__(self) -> Any:
        """Read all rows, without keeping any."""
        return map(self._at, range(len(self)))

    def _at(self, position: int) -> T:
        return self._made(json.loads(self._texts[position].as_py(), object_hook=_from_object))


def row_texts(rows: Iterable[Row]) -> Any:
    """Return the batches of a table with one column, of rows as JSON, to be written as they are made.

    Raises:
        DataError: A row holds what cannot be written; while the batches are read.
    """
    import pyarrow as pa  # not for what keeps its rows in memory

    schema = pa.schema([("row", pa.large_utf8())])

    def batches() -> Iterator[Any]:
        numbered = enumerate(rows, start=1)
        while texts := [_text(row, number) for number, row in islice(numbered, _BATCH)]:
            yield pa.record_batch([pa.array(texts, pa.large_utf8())], schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def _text(row: Row, number: int) -> str:
    try:
        return _json(row)
    except TypeError:
        column, kind = next(unwritable for unwritable in map(_unwritable, row.items()) if unwritable)
        raise DataError(
            f"row {number}: column {column!r} holds a {kind}; more than {IN_MEMORY} rows are kept in a file, "
            "so that a column must hold text, numbers, dates, lists and objects"
        ) from None


def _unwritable(item: tuple[str, Any]) -> tuple[str, str] | None:
    """Return a column with the type that keeps it from being written, if there is one."""
    try:
        _json(item[1])
    except TypeError as error:
        return item[0], str(error)
    return None


_FROM_TEXT: Mapping[str, Callable[[str], Any]] = {
    "saferec date": date.fromisoformat,
    "saferec datetime": datetime.fromisoformat,
}
"""What a Parquet file holds and JSON does not, by the key under which it is written."""


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=_as_object)


def _as_object(value: Any) -> dict[str, str]:
    if isinstance(value, datetime):  # which is a date, too
        return {"saferec datetime": value.isoformat()}
    if isinstance(value, date):
        return {"saferec date": value.isoformat()}
    raise TypeError(type(value).__name__)


def _from_object(value: dict[str, Any]) -> Any:
    if len(value) == 1:
        ((key, text),) = value.items()
        if key in _FROM_TEXT:
            return _FROM_TEXT[key](text)
    return value
