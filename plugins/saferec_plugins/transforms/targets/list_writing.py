"""Lists of catalog titles as the chain's parser writes them, a line per title remembered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache

from saferec_core.data.titles import Title
from saferec_core.plugins.contracts.parser import ListParser

__all__ = ["ListWriter", "writable"]

_REMEMBERED_LINES = 1 << 16


class ListWriter:
    """Writes lists of titles of one catalog."""

    def __init__(self, titles: Sequence[Title], parser: ListParser) -> None:
        """Write *titles*, the catalog, by the `format` of *parser*."""
        self._titles = titles
        self._parser = parser

    def written(self, positions: Sequence[int]) -> str:
        """Write the titles at *positions* of the catalog, in this order."""
        if self._writes_lines:
            return "\n".join(map(self._line, positions))
        return self._parser.format([self._titles[position] for position in positions])

    @cached_property
    def _line(self) -> Callable[[int], str]:
        """Writes one title; the same ones fill many lists."""
        write, titles = self._parser.format, self._titles
        return lru_cache(_REMEMBERED_LINES)(lambda position: write([titles[position]]))

    @cached_property
    def _writes_lines(self) -> bool:
        """Whether the parser writes a list as the lines of its titles."""
        few = self._titles[:3]
        return self._parser.format(few) == "\n".join(map(self._line, range(len(few))))


def writable(titles: Sequence[Title], parser: ListParser) -> bytes:
    """Return, a byte for each title, whether the parser reads it as it writes it."""
    return bytes([item.title for item in parser(parser.format([title])).items] == [title] for title in titles)
