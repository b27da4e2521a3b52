"""Where the rows of a step come from: lines of the chain's first file, kept beside the rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

__all__ = ["Origin", "first_file_of", "origin_line", "origins_of", "write_first_file"]

_LINE_BYTES = 16
"""Lines have one length, so that those of a part are found without reading the others."""

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
    """Return where rows of *source* come from, by their numbers.

    Rows of a file that no step has made come from there. A row that a step has made of several rows, so
    that it is not known of which, comes from the step's own file.
    """
    path = Path(source)
    here = {number: Origin(source, unit, number) for number in numbers}
    first = first_file_of(source, unit)
    if first == (source, unit):
        return here
    with path.with_name(_ORIGINS).open("rb") as file:
        for number in here:
            file.seek((number - 1) * _LINE_BYTES)
            if told := int(file.read(_LINE_BYTES) or 0):
                here[number] = Origin(*first, told)
    return here


def first_file_of(source: str, unit: str) -> tuple[str, str]:
    """Return the first file of the chain that has made *source*, and what its numbers count."""
    path = Path(source)
    told = path.with_name(_FIRST_FILE)
    if path.name != _ROWS or not told.is_file() or not path.with_name(_ORIGINS).is_file():
        return source, unit
    first = json.loads(told.read_text(encoding="utf-8"))
    return first["file"], first["unit"]


def origin_line(origin: Origin | None, first: tuple[str, str]) -> bytes:
    """Return the line that tells a later step where a row comes from; 0 where that is not known."""
    number = origin.number if origin is not None and origin[:2] == first else 0
    return b"%*d\n" % (_LINE_BYTES - 1, number)


def write_first_file(folder: Path, first: tuple[str, str]) -> None:
    """Write down in the folder of a step what the numbers of its rows' origins are about."""
    file, unit = first
    (folder / _FIRST_FILE).write_text(json.dumps({"file": file, "unit": unit}), encoding="utf-8")
