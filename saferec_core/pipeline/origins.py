"""Origins of a step's rows: lines of the chain's first file, stored next to the rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

__all__ = ["Origin", "first_file_of", "origin_line", "origins_of", "write_first_file"]

_LINE_BYTES = 16
"""All lines have this length, so that those of a part are read without the others."""

_ROWS, _ORIGINS, _FIRST_FILE = "rows.jsonl", "origins.jsonl", "first_file.json"


class Origin(NamedTuple):
    """A row of the first file of a chain."""

    source: str
    """The file."""
    unit: str
    """What the number counts: lines or rows."""
    number: int

    def __str__(self) -> str:
        return f"{self.source}, {self.unit} {self.number}"


def origins_of(source: str, unit: str, numbers: Iterable[int]) -> Mapping[int, Origin]:
    """Return the origins of rows of *source*, by their numbers.

    Rows of a file that is not the output of a step have that file as their origin. A row for which a step
    cannot know the input row, since it read several, has the step's own file as its origin.
    """
    path = Path(source)
    here = {number: Origin(source, unit, number) for number in numbers}
    first = first_file_of(source, unit)
    if first == (source, unit):
        return here
    with path.with_name(_ORIGINS).open("rb") as file:
        for number in here:
            file.seek((number - 1) * _LINE_BYTES)
            if line_number := int(file.read(_LINE_BYTES) or 0):
                here[number] = Origin(*first, line_number)
    return here


def first_file_of(source: str, unit: str) -> tuple[str, str]:
    """Return the first file of the chain that made *source*, and what its numbers count."""
    path = Path(source)
    record = path.with_name(_FIRST_FILE)
    if path.name != _ROWS or not record.is_file() or not path.with_name(_ORIGINS).is_file():
        return source, unit
    first = json.loads(record.read_text(encoding="utf-8"))
    return first["file"], first["unit"]


def origin_line(origin: Origin | None, first: tuple[str, str]) -> bytes:
    """Return the line that states the origin of a row for later steps; 0 if it is unknown."""
    number = origin.number if origin is not None and origin[:2] == first else 0
    return b"%*d\n" % (_LINE_BYTES - 1, number)


def write_first_file(folder: Path, first: tuple[str, str]) -> None:
    """Record, in the folder of a step, the file that the origins of its rows refer to."""
    file, unit = first
    (folder / _FIRST_FILE).write_text(json.dumps({"file": file, "unit": unit}), encoding="utf-8")
