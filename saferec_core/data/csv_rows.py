"""CSV and TSV tables with a head, row by row, with any of the usual separators."""

from __future__ import annotations

import csv
import re
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from saferec_core.data.byte_lines import lines_of, open_bytes
from saferec_core.data.json_values import not_utf8
from saferec_core.data.typed_heads import untyped
from saferec_core.errors import DataError

__all__ = ["table_rows"]


_LONGEST_FIELD = 1 << 30


_LONGEST_RECORD = 50
"""Lines; a longer record has an unclosed quote."""

_SEPARATORS = (",", "\t", ";", "|")
_SAMPLED_LINES = 20
"""Lines from which the separator is determined."""
_STATED_SEPARATOR = re.compile(r'\ufeff?"?sep=(?P<separator>.)"?\s*', re.IGNORECASE)
"""The first line that Excel writes, or wants, where the separator is not the locale's."""


def table_rows(path: Path, usual: str) -> Iterator[tuple[int, dict[str, Any] | DataError]]:
    """Yield the rows of a table with a head, each with the number of its last line.

    A field may contain line breaks. Blank lines are skipped. Fields after the last column must be empty.

    Args:
        path: The table.
        usual: The separator, unless the first lines show another one.

    Raises:
        DataError: The file as a whole cannot be read; its head, for example, has a column twice.
    """
    csv.field_size_limit(_LONGEST_FIELD)
    with open_bytes(path) as file:
        lines = (line.decode("utf-8", errors="surrogateescape") for line in lines_of(file, path))
        sample = list(islice(lines, _SAMPLED_LINES))
        lines_read = _RereadableLines(iter(sample), lines)
        if sample and (stated := _STATED_SEPARATOR.fullmatch(sample[0])):
            separator = stated["separator"]
            next(lines_read)
        else:
            separator = _separator(sample, usual)
        reader = csv.reader(lines_read, delimiter=separator, **_quoting(sample, separator))
        head: list[str] | None = None
        while True:
            lines_read.record.clear()
            try:
                fields = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield lines_read.number, DataError(f"not a row of a table: {error}")
                continue
            except _OpenQuoteError as error:
                lines_read.back_to_second()
                if head is None:
                    raise DataError(f"{path}, line {lines_read.number}, the head: {error}") from error
                yield lines_read.number, DataError(str(error))
                continue
            if head is not None and fields == ["\x1a"]:  # the end of a file, for MS-DOS
                continue
            if head is not None and fields and not (len(fields) == 1 < len(head) and not fields[0].strip()):
                yield lines_read.number, _table_row(head, fields, separator)
            elif head is None and any(field.strip(_INVISIBLE) for field in fields):
                head = _head(fields, f"{path}, line {lines_read.number}, the head")


_INVISIBLE = " \t\r\n\xa0\ufeff\u200b\u2060"
"""Spaces and marks of no width around the name of a column."""


class _OpenQuoteError(Exception):
    """A record does not end, since a stray quote opened it."""


class _RereadableLines:
    """Lines for a CSV reader; those after a stray quote can be read again."""

    def __init__(self, *lines: Iterator[str]) -> None:
        self._lines = (line for some in lines for line in some)
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


def _separator(sample: Sequence[str], usual: str) -> str:
    """Choose the separator that gives most lines as many columns as the head; the usual one wins ties."""
    lines = [line for line in sample if line.strip(" \r\n\ufeff")]
    best, best_score = usual, (0.0, False)
    for separator in _SEPARATORS:
        try:
            rows = [row for row in csv.reader(lines, delimiter=separator) if row]
        except csv.Error:
            continue
        width = len(rows[0]) if rows else 0
        fitting = sum(len(row) == width for row in rows) / len(rows) if width > 1 else 0.0
        score = (fitting, separator == usual)
        if score > best_score and fitting:
            best, best_score = separator, score
    return best


def _quoting(sample: Sequence[str], separator: str) -> Mapping[str, Any]:
    """Return how quotes within a field are marked: doubled, unless backslashes alone make sense."""
    if not any('\\"' in line for line in sample):
        return {}
    try:
        deque(csv.reader(sample, delimiter=separator, strict=True), maxlen=0)
    except csv.Error:
        return {"escapechar": "\\"}
    return {}


def _head(fields: Sequence[str], where: str) -> list[str]:
    """Return the names of the columns, without the blank ones that trailing separators make."""
    names = [name.strip(_INVISIBLE).strip('"') for name in fields]
    while names and not names[-1]:
        names.pop()
    for name in names:
        if _undecoded(name):
            raise DataError(f"{where}: {_not_utf8(name)}")
        if "\x00" in name:
            raise DataError(f"{where}: it holds NUL bytes, so the file is damaged or binary")
    if len(names) == 1 and names[0].startswith("#"):
        raise DataError(f"{where}: {names[0]!r} is a comment, which tables do not have; remove the line")
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise DataError(
            f"{where}: column {twice[0]!r} occurs {names.count(twice[0])} times; rename or remove all but one"
        )
    return untyped(names)


def _table_row(head: Sequence[str], fields: list[str], separator: str) -> dict[str, Any] | DataError:
    if any("\x00" in field for field in fields):
        return DataError("it holds NUL bytes, so the file is damaged or binary")
    while len(fields) > len(head) and not fields[-1].strip():
        fields.pop()
    if len(fields) != len(head):
        quoted = f"; a field that holds {separator!r} must be quoted" if len(fields) > len(head) else ""
        head_of_one = f" ({head[0]})" if len(head) == 1 else ""  # a headline above it, perhaps
        return DataError(
            f"expected {len(head)} fields, as the head{head_of_one} has, but got {len(fields)}{quoted}"
        )
    for field in fields:
        if not field.isascii() and _undecoded(field):
            return DataError(_not_utf8(field))
    return dict(zip(head, fields, strict=True))


def _undecoded(text: str) -> bool:
    return any("\udc80" <= char <= "\udcff" for char in text)


def _not_utf8(text: str) -> str:
    try:
        text.encode(errors="surrogateescape").decode()
    except UnicodeDecodeError as error:
        return not_utf8(error)
    return "not UTF-8 text"
