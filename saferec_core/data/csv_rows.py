"""CSV and TSV tables with a head, row by row, with any of the usual separators."""

from __future__ import annotations

import csv
import re
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

from saferec_core.data.byte_lines import lines_of, open_bytes
from saferec_core.data.csv_records import INVISIBLE, csv_records
from saferec_core.data.json_values import not_utf8
from saferec_core.data.typed_heads import untyped
from saferec_core.errors import DataError

__all__ = ["table_rows"]


_LONGEST_FIELD = 1 << 30

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
        stated = _STATED_SEPARATOR.fullmatch(sample[0]) if sample else None
        separator = stated["separator"] if stated else _separator(sample, usual)
        head: list[str] | None = None
        dialect = {"delimiter": separator, **_quoting(sample, separator)}
        for number, fields in csv_records(chain(sample, lines), dialect, skip=int(stated is not None)):
            if head is None:
                head = _head(fields, f"{path}, line {number}, the head")
            elif isinstance(fields, DataError):
                yield number, fields
            elif fields != ["\x1a"] and not (len(fields) == 1 < len(head) and not fields[0].strip()):
                yield number, _table_row(head, fields, separator)  # "\x1a" ends a file of MS-DOS


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


def _head(fields: Sequence[str] | DataError, where: str) -> list[str]:
    """Return the names of the columns, without the blank ones that trailing separators make."""
    if isinstance(fields, DataError):
        raise DataError(f"{where}: {fields}") from fields
    names = [name.strip(INVISIBLE).strip('"') for name in fields]
    while names and not names[-1]:
        names.pop()
    for name in names:
        if _undecoded(name):
            raise DataError(f"{where}: {_not_utf8(name)}")
        if "\x00" in name:
            raise DataError(f"{where}: it holds NUL bytes, so the file is damaged or binary")
    if names and names[0].startswith("#") and (len(names) == 1 or names[0][1:2] in {" ", "#"}):
        raise DataError(
            f"{where}: {names[0]!r} is a comment, which tables do not have; remove the line, or the # if the "
            "head follows it"
        )
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
