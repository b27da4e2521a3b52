"""Rows of files of every kind, each with the number that an error can name."""

from __future__ import annotations

import codecs
import math
import re
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from saferec_core.data.arrow_rows import arrow_rows
from saferec_core.data.byte_lines import lines_of, open_bytes
from saferec_core.data.csv_rows import table_rows
from saferec_core.data.file_kinds import Kind, kind_of
from saferec_core.data.json_values import json_values, parsed
from saferec_core.data.safe_pickle import read_plain_pickle
from saferec_core.data.unheaded_tables import unheaded_rows
from saferec_core.errors import DataError

__all__ = [
    "LIST",
    "OBJECT",
    "Row",
    "numbered_lines",
    "numbered_rows",
    "parsed_object",
    "read_rows",
    "row_name",
    "says_nothing",
    "try_rows",
    "try_values",
    "whole_year",
    "year_or_none",
]

OBJECT, LIST = (dict, Mapping), (list, tuple, Sequence)
"""For isinstance: the concrete types come first, since checking abstract ones takes ten times as long."""

Row = dict[str, Any]
"""A sample in the pipeline, made of JSON values: strings, numbers, lists and objects."""

_LAST_YEAR = 9999

_BLANK = (b"", codecs.BOM_UTF8)

_DECIMAL_COMMA = re.compile(r"(?<=^[0-9]{4}),(?=0+$)")

_TWO_DIGITS = re.compile(r"\s*['’]?[0-9]{2}(?:[.,]0+)?\s*")
"""A year of which a table leaves out the century."""

_DATED = (
    re.compile(r"(?P<year>[0-9]{4})([-/][0-9]{1,2}){1,2}([T ].*)?"),  # 1999-07-16, 1999/7/16, 1999-07
    re.compile(r"(?P<year>[0-9]{4})(\.[0-9]{1,2}){2}"),  # 1999.07.16
    re.compile(r"[0-9]{1,2}[-/. ]+([0-9]{1,2}|[A-Za-z]{3,9}\.?)[-/., ]+(?P<year>[0-9]{4})"),  # 16.07.1999
    re.compile(r"[A-Za-z]{3,9}\.? [0-9]{1,2}, (?P<year>[0-9]{4})"),  # July 16, 1999
    re.compile(r"\((?P<year>[0-9]{4})\)"),
    re.compile(r"(?P<year>[0-9]{4})年"),
    re.compile(r"\(?(?P<year>[0-9]{4})\s*[-–—]\s*([0-9]{4})?\s*\)?"),  # of a series: 1999-2007, 2015-
)
"""How else than by its number alone tables write a year."""

_NOTHING = frozenset(
    ["", "0", "0.0", "-", "–", "—", "?", "n/a", "na", "nan", "nat", "none", "null", "<na>", "\\n", "unknown"]
)
"""What tables write where nothing is known; there was no year 0."""


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file or folder.

    JSON (one value per line, an array, or values one after the other), CSV and TSV with any of the usual
    separators, tables of MovieLens-100K, -1M and -10M, RecBole's atomic files, each also compressed and
    in UTF-8, UTF-16 or UTF-32; Parquet, Arrow and Feather files; ``datasets`` folders. The content decides
    what kind of file it is (see `kind_of`). The values of tables are strings.

    Raises:
        DataError: The file is missing or unreadable, or a row is malformed; the message names it.
    """
    for _, row in numbered_rows(path):
        yield row


def numbered_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the rows with their numbers: the line in a text file, else counted from 1.

    Raises:
        DataError: As `read_rows`.
    """
    for number, row in try_rows(path):
        if isinstance(row, DataError):
            raise DataError(f"{path}, {row_name(path)} {number}: {row}")
        yield number, row


def try_rows(path: Path) -> Iterator[tuple[int, dict[str, Any] | DataError]]:
    """Yield the rows with their numbers, and the error in place of a malformed row.

    Raises:
        DataError: The file as a whole is missing or unreadable.
    """
    for number, value in try_values(path):
        yield number, _object(value)


def try_values(path: Path) -> Iterator[tuple[int, Any]]:
    """Do as `try_rows`, but accept any JSON value, or element of a data-only pickle, as a row."""
    if not path.exists():
        raise DataError(f"{path} does not exist")
    kind = kind_of(path)
    if kind is Kind.ARROW:
        yield from enumerate(arrow_rows(path), start=1)
    elif kind is Kind.PICKLE:
        yield from enumerate(read_plain_pickle(path), start=1)
    elif kind is Kind.TABLE:
        yield from table_rows(path, "," if ".csv" in path.name.lower() else "\t")
    elif kind is Kind.UNHEADED:
        yield from unheaded_rows(path)
    elif kind is Kind.VALUES:
        yield from json_values(path)
    else:
        for number, line in numbered_lines(path):
            yield number, parsed(line)


def numbered_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a file that are not blank, as they are, with their numbers.

    Raises:
        DataError: The file cannot be read.
    """
    with open_bytes(path) as file:
        for number, line in enumerate(lines_of(file, path), start=1):
            if line.strip() not in _BLANK:
                yield number, line


def parsed_object(line: bytes) -> dict[str, Any] | DataError:
    """Return the JSON object of a line, or what is wrong with the line."""
    return _object(parsed(line))


def row_name(path: Path) -> str:
    """Return what row numbers count: lines or rows."""
    return "row" if kind_of(path) in {Kind.ARROW, Kind.PICKLE} else "line"


def whole_year(value: Any, what: str) -> int:
    """Read a year, also one that came through a table as ``"2004.0"`` or ``"2004,0"``, or as a date.

    Raises:
        DataError: It is not a whole number of at most four digits; *what* names it in the message.
    """
    if type(value) is int and abs(value) <= _LAST_YEAR:  # as most years are written
        return value
    try:
        number = (
            math.nan
            if isinstance(value, dict | list | tuple | date)
            else float(_DECIMAL_COMMA.sub(".", str(value)))
        )
        year = int(number) if math.isfinite(number) else None
    except (ValueError, OverflowError):
        year = None
    if isinstance(value, str) and _TWO_DIGITS.fullmatch(value):
        raise DataError(f"{what} must have four digits, but is {_shown(value)}")
    if isinstance(value, str | date) and (dated := _dated(str(value).strip())):
        number = year = dated
    if year is None or number != year:
        raise DataError(f"{what} must be a whole number, but is {_shown(value)}")
    if abs(year) > _LAST_YEAR:
        raise DataError(f"{what} must have at most four digits, but is {_shown(value)}")
    return year


def year_or_none(value: Any, what: str) -> int | None:
    """Read a year that may be unknown: None, 0, NaN, which pandas writes for None, or text such as "N/A".

    Raises:
        DataError: It is neither unknown nor a year; see `whole_year`.
    """
    if (
        value is None
        or value != value
        or (isinstance(value, int | float) and value == 0 and value is not False)
    ):
        return None
    return None if says_nothing(value) else whole_year(value, what)


def says_nothing(value: Any) -> bool:
    """Whether a cell holds what tables write where there is nothing, such as "N/A"."""
    return isinstance(value, str) and value.strip().lower() in _NOTHING


def _dated(text: str) -> int | None:
    """Return the year of a date, or of the first season of a series."""
    for form in _DATED:
        if match := form.fullmatch(text):
            return int(match["year"])
    return None


def _shown(value: Any) -> str:
    """Represent a value in a message, even one that is nested without end or too large to print."""
    if isinstance(value, str | bool | float | None):
        return f"{value!r:.80}"
    try:
        return reprlib.repr(value)
    except ValueError:  # more digits than Python writes
        return f"a number of type {type(value).__name__}"


def _object(value: Any) -> dict[str, Any] | DataError:
    if isinstance(value, dict | DataError):
        return value
    return DataError(f"expected an object, but got {type(value).__name__}")
