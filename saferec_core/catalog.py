"""Every title that may be recommended."""

from __future__ import annotations

import csv
import json
import pickle
import pickletools
from collections.abc import Iterable, Iterator
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from saferec_core.errors import DataError
from saferec_core.lists import Title
from saferec_core.rows import read_lines, whole_year
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
        look_up = partial(self._index.find, tolerance=year_tolerance)
        self._look_up = lru_cache(maxsize=1 << 16)(look_up)  # a policy names the same titles over and over

    def __len__(self) -> int:
        return len(self.titles)

    def find(self, name: str, year: int) -> int | None:
        """Return the position of the title, or None if it may not be recommended."""
        return self._look_up(name, year)


def read_catalog(path: Path, *, year_tolerance: int = 2) -> Catalog:
    """Read a catalog from JSONL or CSV rows with ``title`` and ``year``, or from a data-only pickle.

    Raises:
        DataError: The file is missing or empty, a row lacks a title, a year is no number, or a
            pickle holds anything that would run code.
    """
    if not path.is_file():
        reason = "is a folder" if path.is_dir() else "does not exist"
        raise DataError(f"catalog {path} {reason}; name a file with --catalog-path")
    titles = [_title(row, where) for where, row in _rows(path)]
    if not titles:
        raise DataError(f"catalog {path} is empty; wanted at least one row with title and year")
    return Catalog(titles, year_tolerance=year_tolerance)


def _rows(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield each row with the place it came from."""
    if path.suffix in {".pkl", ".pickle"}:
        for position, row in enumerate(_data_only_pickle(path), start=1):
            yield f"{path}, entry {position}", row
    elif path.suffix == ".csv":
        for number, row in enumerate(csv.DictReader(line for _, line in read_lines(path)), start=1):
            yield f"{path}, row {number}", row
    else:
        for number, line in read_lines(path):
            try:
                yield f"{path}, line {number}", json.loads(line)
            except json.JSONDecodeError as error:
                raise DataError(f"{path}, line {number}: no JSON object: {error.msg}") from error


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
    return Title(name.strip(), whole_year(year, f"{where}: the year of {name!r}"))


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
    except (pickle.UnpicklingError, EOFError, LookupError, ValueError, TypeError, MemoryError) as error:
        raise DataError(f"catalog {path} is no readable pickle: {error}") from error
    if not isinstance(loaded, list | tuple | set | frozenset | dict):
        raise DataError(f"catalog {path}: wanted a collection of titles, but got {type(loaded).__name__}")
    return loaded
