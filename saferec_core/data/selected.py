"""Some of the items of a sequence, which are read when they are asked for."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar, overload

__all__ = ["Selected"]

T = TypeVar("T")


class Selected(Sequence[T], Generic[T]):
    """The items at some positions of a sequence; eight bytes are held for each."""

    def __init__(self, items: Sequence[T], positions: array[int]) -> None:
        """Read from *items*."""
        self._items, self._positions = items, positions

    def __len__(self) -> int:
        return len(self._positions)

    @overload
    def __getitem__(self, position: int) -> T: ...

    @overload
    def __getitem__(self, position: slice) -> list[T]: ...

    def __getitem__(self, position: int | slice) -> T | list[T]:
        """Return an item, or those of a slice."""
        chosen = self._positions[position]
        return self._items[chosen] if isinstance(chosen, int) else [self._items[n] for n in chosen]

    def __iter__(self) -> Iterator[T]:
        return map(self._items.__getitem__, self._positions)
