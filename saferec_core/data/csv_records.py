"""The records of a CSV or TSV table: stray quotes cost their own line, and join no rows."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from saferec_core.errors import DataError

__all__ = ["INVISIBLE", "csv_records"]

_LONGEST_RECORD = 50
"""Lines; a longer record has an unclosed quote."""

INVISIBLE = " \t\r\n\xa0\ufeff\u200b\u2060"
"""Spaces and marks of no width around the name of a column."""


def csv_records(
    lines: Iterator[str], dialect: Mapping[str, Any], *, skip: int = 0
) -> Iterator[tuple[int, list[str] | DataError]]:
    """Yield the records that are not blank, each with the number of its last line.

    In a table that tabs separate, a quote that would join rows is a character as any other: IMDb and others
    write such tables without quoting. Elsewhere its line is an error.

    Args:
        lines: The lines of the table.
        dialect: Options of `csv.reader`, with the ``delimiter``.
        skip: Lines to leave out at the beginning.
    """
    taken = _RereadableLines(lines)
    for _ in range(skip):
        next(taken)
    reader = csv.reader(taken, **dialect)
    width = 0
    """Fields of the head, which is the first record."""
    while True:
        taken.record.clear()
        fields: list[str] | DataError
        try:
            fields = next(reader)
            if stray := _stray_quote(taken, width, dialect):
                taken.back_to_second()
                fields = stray
        except StopIteration:
            return
        except csv.Error as error:
            fields = DataError(f"not a row of a table: {error}")
        except _OpenQuoteError as error:
            taken.back_to_second()
            fields = _without_quoting(taken.record[0], width, dialect) or DataError(str(error))
        if isinstance(fields, list) and not width:
            if not any(field.strip(INVISIBLE) for field in fields):
                continue
            width = len(fields)
        if fields:
            yield taken.number, fields


def _stray_quote(
    taken: _RereadableLines, width: int, dialect: Mapping[str, Any]
) -> list[str] | DataError | None:
    """Return the first of the rows that a stray quote joins, or what is wrong with it; None if none does."""
    record, separator = taken.record, dialect["delimiter"]
    if len(record) == 1 or width < 2 or any(line.count(separator) != width - 1 for line in record):
        return None
    if alone := _without_quoting(record[0], width, dialect):
        return alone
    try:
        deque(csv.reader(record, strict=True, **dialect), maxlen=0)
    except csv.Error:
        return DataError(
            f"a quote that it opens is closed in line {taken.number} only, by the quote of another row; "
            "double the quotes within a field"
        )
    return None


def _without_quoting(line: str, width: int, dialect: Mapping[str, Any]) -> list[str] | None:
    """Return the fields of a line in which tabs separate and quotes mean nothing; None if it is none."""
    fields = line.rstrip("\r\n").split("\t")
    return fields if dialect["delimiter"] == "\t" and len(fields) == width > 1 else None


class _OpenQuoteError(Exception):
    """A record does not end, since a stray quote opened it."""


class _RereadableLines:
    """Lines for a CSV reader; those after a stray quote can be read again."""

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
