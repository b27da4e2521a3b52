"""Rows of files, each with the place that an error can name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from saferec_core.errors import DataError

__all__ = ["read_lines", "read_rows", "whole_year"]


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a JSONL or Parquet file or of a ``datasets`` folder as dictionaries."""
    if not path.exists():
        raise DataError(f"{path} does not exist")
    if path.is_dir() or path.suffix == ".parquet":
        yield from _arrow_rows(path)
        return
    for number, line in read_lines(path):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{path}, line {number}: no JSON object: {error.msg}") from error
        if not isinstance(row, dict):
            raise DataError(f"{path}, line {number}: wanted an object, but got {type(row).__name__}")
        yield row


def read_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text file that are not blank, with their numbers.

    Raises:
        DataError: The file is no UTF-8 text, or cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:  # spreadsheets write a mark in front
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, line
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no UTF-8 text: {error}") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}") from error


def _arrow_rows(path: Path) -> Iterator[dict[str, Any]]:
    import datasets  # takes a second to import, and JSONL does not need it

    try:
        loaded = (
            datasets.load_from_disk(str(path)) if path.is_dir() else datasets.Dataset.from_parquet(str(path))
        )
    except (FileNotFoundError, ValueError, OSError) as error:
        raise DataError(f"{path} is no dataset that can be read: {error}") from error
    if isinstance(loaded, datasets.DatasetDict):
        splits = ", ".join(loaded)
        raise DataError(f"{path} holds several splits ({splits}); name the folder of one of them")
    yield from loaded


def whole_year(value: Any, what: str) -> int:
    """Read a year, also one that came through a table as ``"2004.0"``.

    Raises:
        DataError: It is no whole number; *what* says whose year it is.
    """
    try:
        number = float(str(value))
        if number == int(number):
            return int(number)
    except (ValueError, OverflowError):
        pass
    raise DataError(f"{what} must be a whole number, but is {value!r}")
