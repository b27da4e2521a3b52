"""Rows of files of every kind, each with the number that an error can name."""

from __future__ import annotations

import json
import math
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from saferec_core.data.byte_lines import lines_of, open_bytes
from saferec_core.data.csv_rows import table_rows
from saferec_core.data.safe_pickle import read_plain_pickle
from saferec_core.errors import DataError

__all__ = [
    "LIST",
    "OBJECT",
    "arrow_tables",
    "is_line_file",
    "kind_of",
    "numbered_lines",
    "numbered_rows",
    "parsed_object",
    "read_rows",
    "row_name",
    "try_rows",
    "try_values",
    "whole_year",
]

OBJECT, LIST = (dict, Mapping), (list, tuple, Sequence)
"""For isinstance, which tells the usual types in a tenth of the time that abstract ones take."""


_LAST_YEAR = 9999

_DIGITS_TO_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
_DIGITS_OF_64_BITS = b"0" * 19


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a file: JSONL, CSV or TSV, each also gzipped, Parquet, or a ``datasets`` folder.

    The values of CSV and TSV are strings.

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
    """Yield the rows with their numbers, and in place of a malformed row what is wrong with it.

    Raises:
        DataError: The file as a whole is missing or unreadable.
    """
    for number, value in try_values(path):
        yield number, _object(value)


def try_values(path: Path) -> Iterator[tuple[int, Any]]:
    """Do as `try_rows`, but take every JSON value, or element of a data-only pickle, for a row."""
    if not path.exists():
        raise DataError(f"{path} does not exist")
    kind = kind_of(path)
    if path.is_dir() or kind == ".parquet":
        yield from enumerate(_arrow_rows(path), start=1)
    elif kind in {".pkl", ".pickle"}:
        yield from enumerate(read_plain_pickle(path), start=1)
    elif kind in {".csv", ".tsv"}:
        yield from table_rows(path, "\t" if kind == ".tsv" else ",")
    else:
        for number, line in numbered_lines(path):
            yield number, _parsed(line)


def numbered_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a file that are not blank, as they are, with their numbers.

    Raises:
        DataError: The file cannot be read.
    """
    with open_bytes(path) as file:
        for number, line in enumerate(lines_of(file, path), start=1):
            if line.strip():
                yield number, line


def parsed_object(line: bytes) -> dict[str, Any] | DataError:
    """Return the JSON object of a line, or what is wrong with the line."""
    return _object(_parsed(line))


def is_line_file(path: Path) -> bool:
    """Whether the file has one JSON value a line, so that it can be cut without being understood."""
    return path.is_file() and kind_of(path) not in {".parquet", ".pkl", ".pickle", ".csv", ".tsv"}


def kind_of(path: Path) -> str:
    """Return the suffix in lower case, without that of gzip."""
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    return suffixes[-1] if suffixes else ""


def row_name(path: Path) -> str:
    """What the number of a row counts."""
    return "line" if is_line_file(path) or kind_of(path) in {".csv", ".tsv"} else "row"


def whole_year(value: Any, what: str) -> int:
    """Read a year, also one that came through a table as ``"2004.0"``.

    Raises:
        DataError: It is no whole number of at most four digits; *what* says whose year it is.
    """
    try:
        number = math.nan if isinstance(value, dict | list | tuple) else float(str(value))
        year = int(number) if math.isfinite(number) else None
    except (ValueError, OverflowError):
        year = None
    if year is None or number != year:
        raise DataError(f"{what} must be a whole number, but is {_shown(value)}")
    if abs(year) > _LAST_YEAR:
        raise DataError(f"{what} must have at most four digits, but is {_shown(value)}")
    return year


def _shown(value: Any) -> str:
    """Represent a value in a message; nested by reference it could be endless, as a number unprintable."""
    if isinstance(value, str | bool | float | None):
        return f"{value!r:.80}"
    try:
        return reprlib.repr(value)
    except ValueError:  # more digits than Python writes
        return f"a number of type {type(value).__name__}"


def _object(value: Any) -> dict[str, Any] | DataError:
    if isinstance(value, dict | DataError):
        return value
    return DataError(f"wanted an object, but got {type(value).__name__}")


def _parsed(line: bytes) -> Any:
    """Parse by orjson; what that refuses, or would make a float of, by json, which says what is wrong."""
    if _DIGITS_OF_64_BITS not in line.translate(_DIGITS_TO_ZEROS):
        try:
            return orjson.loads(line)
        except orjson.JSONDecodeError:
            pass  # NaN, a mark in front, half a surrogate pair, or no JSON at all
    try:
        text = line.decode("utf-8-sig")  # spreadsheets write a mark in front
        value = json.loads(text, parse_float=_finite, parse_constant=_finite)
        if b"\\u" in line:
            json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except UnicodeDecodeError as error:
        return DataError(f"no UTF-8 text: {error}")
    except json.JSONDecodeError as error:
        return DataError(f"no JSON object: {error.msg} (character {error.pos + 1})")
    except DataError as error:
        return error
    except (ValueError, RecursionError) as error:
        return DataError(f"no JSON object: {error}")
    return value


def _finite(text: str) -> float:
    """Read a number as JSON says it."""
    if math.isfinite(number := float(text)):
        return number
    raise DataError(f"a number that is not finite: {text:.40}")


def _arrow_rows(path: Path) -> Iterator[dict[str, Any]]:
    for table in arrow_tables(path):
        yield from table.to_pylist()


def arrow_tables(path: Path, rows: int = 500) -> Iterator[Any]:
    """Yield a Parquet file or a ``datasets`` folder in tables of *rows* rows, one in memory at a time.

    Decimal columns come as floats.

    Raises:
        DataError: It cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if path.is_dir():
            yield from map(_without_decimals, _folder_tables(path, rows))
            return
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=rows):
                yield _without_decimals(pa.Table.from_batches([batch]))
    except (FileNotFoundError, ValueError, OSError, pa.ArrowException) as error:
        raise DataError(f"{path} is no dataset that can be read: {error}") from error


def _without_decimals(table: Any) -> Any:
    """Make floats of the decimals, which JSON does not have."""
    import pyarrow as pa

    for place, field in enumerate(table.schema):
        if pa.types.is_decimal(field.type):
            floats = table.column(place).cast(pa.float64())
            table = table.set_column(place, field.with_type(pa.float64()), floats)
    return table


def _folder_tables(path: Path, rows: int) -> Iterator[Any]:
    import datasets  # takes a second to import, and nothing else needs it

    loaded = datasets.load_from_disk(str(path))
    if isinstance(loaded, datasets.DatasetDict):
        splits = ", ".join(loaded)
        raise DataError(f"{path} holds several splits ({splits}); name the folder of one of them")
    plain = loaded.with_format("arrow")
    for start in range(0, len(plain), rows):
        yield plain[start : start + rows]


Row = dict[str, Any]
"""A sample on its way, as JSON has it: strings, numbers, lists and objects."""
