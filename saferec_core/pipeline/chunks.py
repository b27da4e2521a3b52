"""A file of any size, cut into parts of a few hundred rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saferec_core.data.arrow_rows import arrow_tables
from saferec_core.data.file_kinds import Kind, kind_of
from saferec_core.data.rows import Row, numbered_lines, parsed_object, row_name, try_rows
from saferec_core.errors import DataError

__all__ = ["PART_BYTES", "PART_ROWS", "Part", "parts_of"]

PART_ROWS = 500
"""Rows of a part; fixed, so that a resumed step finds its finished parts."""

PART_BYTES = 1 << 23
"""Bytes of lines after which a part ends earlier, so that long rows do not fill the memory."""


@dataclass(frozen=True)
class Part:
    """Consecutive rows of a file, cheap to send to another process."""

    index: int
    """Number of the part, from 0."""
    source: str
    """The file, for messages."""
    unit: str
    """What the numbers count: lines or rows."""
    size: int
    """Number of rows."""
    content: Any
    """Numbered lines that are not parsed yet, numbered rows, or a table with its first number."""

    def rows(self) -> Iterator[tuple[int, Row | DataError]]:
        """Yield each row with its number, or the error in place of a malformed row."""
        if isinstance(self.content, tuple):
            first, table = self.content
            yield from enumerate(table.to_pylist(), start=first)
            return
        for number, value in self.content:
            yield number, parsed_object(value) if isinstance(value, bytes) else value

    def numbers(self) -> Sequence[int]:
        """Return the numbers of the rows."""
        if isinstance(self.content, tuple):
            first, table = self.content
            return range(first, first + len(table))
        return [number for number, _ in self.content]

    def raw(self) -> dict[int, str]:
        """Return the text of the lines that were sent unparsed, by number."""
        if isinstance(self.content, tuple):
            return {}
        return {
            number: value.decode("utf-8", errors="replace").rstrip("\r\n")
            for number, value in self.content
            if isinstance(value, bytes)
        }


def parts_of(path: Path, *, group_column: str | None = None) -> Iterator[Part]:
    """Cut a file into parts, one in memory at a time.

    Args:
        path: Any file that :func:`saferec_core.data.rows.try_rows` reads.
        group_column: Consecutive rows with the same value in this column are kept in one part.
    """
    unit, source = row_name(path), str(path)
    if group_column is None and kind_of(path) is Kind.ARROW:
        first = 1
        for index, table in enumerate(arrow_tables(path, PART_ROWS)):
            yield Part(index, source, unit, len(table), (first, table))
            first += len(table)
        return
    unparsed = group_column is None and kind_of(path) is Kind.LINES
    numbered: Iterator[tuple[int, Any]] = numbered_lines(path) if unparsed else try_rows(path)
    index = 0
    content: list[tuple[int, Any]] = []
    size = 0
    group: Any = None
    for number, value in numbered:
        of_group = value.get(group_column) if group_column is not None and isinstance(value, dict) else None
        malformed = isinstance(value, DataError)
        same_group = of_group is not None and of_group == group
        full = len(content) >= PART_ROWS or size >= PART_BYTES
        if full and not same_group and not (malformed and group is not None):
            yield Part(index, source, unit, len(content), content)
            index, content, size = index + 1, [], 0
        content.append((number, value))
        size += len(value) if isinstance(value, bytes) else 0
        group = group if malformed else of_group
    if content:
        yield Part(index, source, unit, len(content), content)
