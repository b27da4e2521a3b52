"""Every title that may be recommended."""

from __future__ import annotations

import csv
import json
import pickle
import pickletools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from saferec_core.errors import DataError
from saferec_core.lists import Title
from saferec_core.titles import TitleIndex

__all__ = ["Catalog", "read_catalog"]

_RUNS_CODE = {"GLOBAL", "STACK_GLOBAL", "INST", "OBJ", "REDUCE", "BUILD", "NEWOBJ", "NEWOBJ_EX"}
_RUNS_CODE |= {"PERSID", "BINPERSID", "EXT1", "EXT2", "EXT4"}


class Catalog:
    """A set of titles that is looked up by the one title normal form."""

    def __init__(self, titles: Iterable[Title], *, year_tolerance: int = 2) -> None:
        """Index *titles*.

        Args:
            titles: The titles; of two with the same normal form and year the first counts.
            year_tolerance: By how many years a title that was asked for may be off.
        """
        self.titles = tuple(titles)
        self.year_tolerance = year_tolerance
        self._index = TitleIndex(self.titles)

    def __len__(self) -> int:
        return len(self.titles)

    def find(self, name: str, year: int) -> int | None:
        """Return the position of the title, or None if it may not be recommended."""
        return self._index.find(name, year, tolerance=self.year_tolerance)


def read_catalog(path: Path, *, year_tolerance: int = 2) -> Catalog:
    """Read a catalog from JSONL or CSV rows with ``title`` and ``year``, or from a data-only pickle.

    Raises:
        DataError: The file is missing or empty, a row lacks a title, a year is no number, or a
            pickle holds anything that would run code.
    """
    if not path.is_file():
        raise DataError(f"catalog {path} does not exist; name one with --catalog-path")
    titles = [_title(row, where) for where, row in _rows(path)]
    if not titles:
        raise DataError(f"catalog {path} is empty; wanted at least one row with title and year")
    return Catalog(titles, year_tolerance=year_tolerance)


def _rows(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield each row with the place it came from."""
    if path.suffix == ".pkl":
        for position, row in enumerate(_data_only_pickle(path)):
            yield f"{path}, entry {position + 1}", row
        return
    with path.open(encoding="utf-8", newline="") as file:
        if path.suffix == ".csv":
            for line, row in enumerate(csv.DictReader(file), start=2):
                yield f"{path}, line {line}", row
            return
        for line, text in enumerate(file, start=1):
            if text.strip():
                try:
                    yield f"{path}, line {line}", json.loads(text)
                except json.JSONDecodeError as error:
                    raise DataError(f"{path}, line {line}: no JSON object: {error.msg}") from error


def _title(row: Any, where: str) -> Title:
    """Make a title of a row: an object with ``title`` and ``year``, or a pair."""
    if isinstance(row, dict):
        name, year = row.get("title"), row.get("year")
    elif isinstance(row, list | tuple) and len(row) == 2:
        name, year = row
    else:
        raise DataError(f"{where}: wanted an object with title and year, but got {row!r}")
    if not isinstance(name, str) or not name.strip():
        raise DataError(f"{where}: wanted a title, but got {name!r}")
    try:
        number = int(str(year))
    except ValueError as error:
        raise DataError(f"{where}: the year of {name!r} must be a number, but is {year!r}") from error
    return Title(name.strip(), number)


def _data_only_pickle(path: Path) -> Iterable[Any]:
    """Read a pickle of plain containers, strings and numbers; refuse every opcode that runs code."""
    content = path.read_bytes()
    try:
        opcodes = {opcode.name for opcode, _, _ in pickletools.genops(content)}
        if forbidden := sorted(opcodes & _RUNS_CODE):
            raise DataError(
                f"catalog {path} is a pickle that could run code ({', '.join(forbidden)}); convert it "
                "to JSONL with title and year"
            )
        loaded = pickle.loads(content)  # noqa: S301 - only data opcodes are left
    except (ValueError, pickle.UnpicklingError, EOFError, IndexError) as error:
        raise DataError(f"catalog {path} is no readable pickle: {error}") from error
    if not isinstance(loaded, list | tuple | set | frozenset | dict):
        raise DataError(f"catalog {path}: wanted a collection of titles, but got {type(loaded).__name__}")
    return loaded
