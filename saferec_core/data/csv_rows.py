"""CSV and TSV tables with a header, row by row."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from saferec_core.data.byte_lines import lines_of, open_bytes
from saferec_core.errors import DataError

__all__ = ["table_rows"]


_LONGEST_FIELD = 1 << 30


_LONGEST_RECORD = 50
"""Lines; one that goes on longer has a quote that nobody closed."""


def table_rows(path: Path, delimiter: str) -> Iterator[tuple[int, dict[str, Any] | DataError]]:
    """Yield the rows of a table with a head; a field may hold line breaks, its last line counts."""
    csv.field_size_limit(_LONGEST_FIELD)
    with open_bytes(path) as file:
        lines = (line.decode("utf-8", errors="surrogateescape") for line in lines_of(file, path))
        again = _Again(lines)
        reader = csv.reader(again, delimiter=delimiter)
        head: list[str] | None = None
        while True:
            again.record.clear()
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield again.number, DataError(f"no row of a table: {error}")
                continue
            except _OpenQuoteError as error:
                again.back_to_second()
                if head is None:
                    raise DataError(f"{path}, line {again.number}, the head: {error}") from error
                yield again.number, DataError(str(error))
                continue
            if head is None:
                head = [name.removeprefix("\ufeff").strip() for name in fields]
            elif fields:
                yield again.number, _table_row(head, fields)


class _OpenQuoteError(Exception):
    """A record goes on and on: the quote that it began with is a stray one."""


class _Again:
    """Lines for a CSV reader, of which those behind a stray quote can be read once more."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._returned: deque[str] = deque()
        self.record: list[str] = []
        """What the reader has taken since this was cleared."""
        self.number = 0
        """The number of the last line that it took."""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if len(self.record) >= _LONGEST_RECORD:
            raise _OpenQuoteError(f"a quote is not closed within {_LONGEST_RECORD} lines")
        try:
            line = self._returned.popleft() if self._returned else next(self._lines)
        except StopIteration:
            if self.record:
                raise _OpenQuoteError("a quote is not closed before the file ends") from None
            raise
        self.record.append(line)
        self.number += 1
        return line

    def back_to_second(self) -> None:
        """Take back all lines of the record but the first."""
        later = self.record[1:]
        self._returned.extendleft(reversed(later))
        self.number -= len(later)


def _table_row(head: list[str], fields: list[str]) -> dict[str, Any] | DataError:
    if len(fields) != len(head):
        return DataError(f"wanted {len(head)} fields, as the head has, but got {len(fields)}")
    if any("\udc80" <= char <= "\udcff" for field in fields if not field.isascii() for char in field):
        return DataError("no UTF-8 text")
    return dict(zip(head, fields, strict=True))
