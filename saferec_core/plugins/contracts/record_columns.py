"""Columns of a record that a question holds: unchangeable, and equal where what they hold is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["NO_COLUMNS", "RecordColumns"]


class RecordColumns(Mapping[str, Any]):
    """A mapping that can be a key itself; lists in it are tuples, objects are mappings of this kind."""

    __slots__ = ("_columns", "_hash")

    def __init__(self, columns: Mapping[str, Any]) -> None:
        """Freeze a copy of *columns*.

        Raises:
            TypeError: A value is not one that a row of JSON, CSV or Parquet can hold.
        """
        self._columns = {str(name): _frozen(value) for name, value in columns.items()}
        self._hash = hash(frozenset(self._columns.items()))

    def __getitem__(self, name: str) -> Any:
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mapping) and self._columns == dict(other)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._columns!r})"

    def __reduce__(self) -> tuple[type[RecordColumns], tuple[dict[str, Any]]]:
        return RecordColumns, (self._columns,)  # a hash of text differs from process to process

    def only(self, names: tuple[str, ...]) -> RecordColumns:
        """Return the columns called *names*."""
        return self if len(names) == len(self) else RecordColumns({name: self[name] for name in names})


def _frozen(value: Any) -> Any:
    if isinstance(value, Mapping):
        return value if isinstance(value, RecordColumns) else RecordColumns(value)
    if isinstance(value, list | tuple):
        return tuple(map(_frozen, value))
    hash(value)
    return value


NO_COLUMNS = RecordColumns({})
"""What a question holds for an oracle that needs no columns."""
