"""Tables without a head whose columns are known: MovieLens-100K, -1M and -10M."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saferec_core.data.byte_lines import lines_of, open_bytes
from saferec_core.errors import DataError

__all__ = ["unheaded_rows", "unheaded_table"]

_GENRES_OF_100K = (
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama"),
    *("Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War"),
    "Western",
)
"""What the 19 flags of ``u.item`` mean, in the order of ``u.genre``."""


@dataclass(frozen=True)
class UnheadedTable:
    """One known form."""

    name: str
    """What its publisher calls it."""
    first_line: re.Pattern[str]
    separator: str
    columns: tuple[str, ...]
    flags: tuple[str, ...] = ()
    """Genres that a 0 or 1 each stands for, behind the columns."""

    def row(self, line: str) -> dict[str, Any] | DataError:
        """Return the row of a line; genres are separated by ``|``, as in ``movies.csv``."""
        fields = line.split(self.separator)
        wanted = len(self.columns) + len(self.flags)
        if len(fields) != wanted:
            return DataError(f"expected {wanted} fields, as {self.name} has, but got {len(fields)}")
        row: dict[str, Any] = dict(zip(self.columns, fields, strict=False))
        if self.flags:
            row["genres"] = _flagged(self.flags, fields[len(self.columns) :])
        return row


def _flagged(flags: Sequence[str], values: Sequence[str]) -> str:
    return "|".join(flag for flag, value in zip(flags, values, strict=True) if value == "1")


_FORMS = (
    UnheadedTable(
        "ratings.dat of MovieLens",
        re.compile(r"\d+::\d+::[0-5](\.5)?::\d{8,}$"),
        "::",
        ("userId", "movieId", "rating", "timestamp"),
    ),
    UnheadedTable(
        "tags.dat of MovieLens",
        re.compile(r"\d+::\d+::.*::\d{8,}$"),
        "::",
        ("userId", "movieId", "tag", "timestamp"),
    ),
    UnheadedTable(
        "users.dat of MovieLens-1M",
        re.compile(r"\d+::[MF]::\d+::\d+::"),
        "::",
        ("userId", "gender", "age", "occupation", "zip"),
    ),
    UnheadedTable(
        "movies.dat of MovieLens",
        re.compile(r"\d+::.+::[^:]+$"),
        "::",
        ("movieId", "title", "genres"),
    ),
    UnheadedTable(
        "u.item of MovieLens-100K",
        re.compile(r"\d+\|[^|]*\|[^|]*\|[^|]*\|[^|]*(\|[01]){19}$"),
        "|",
        ("movieId", "title", "release_date", "video_release_date", "imdb_url"),
        flags=_GENRES_OF_100K,
    ),
    UnheadedTable(
        "u.data of MovieLens-100K",
        re.compile(r"\d+\t\d+\t[1-5]\t\d{8,}$"),
        "\t",
        ("userId", "movieId", "rating", "timestamp"),
    ),
    UnheadedTable(
        "u.user of MovieLens-100K",
        re.compile(r"\d+\|\d+\|[MF]\|\w+\|\w+$"),
        "|",
        ("userId", "age", "gender", "occupation", "zip"),
    ),
)


def unheaded_table(first_line: str) -> UnheadedTable | None:
    """Return the form of a table that begins with this line, None if none is known."""
    line = first_line.rstrip("\r\n")
    return next((form for form in _FORMS if form.first_line.match(line)), None)


def unheaded_rows(path: Path) -> Iterator[tuple[int, dict[str, Any] | DataError]]:
    """Yield the rows of such a table with their lines; text is UTF-8, or else Latin-1, as GroupLens wrote."""
    form: UnheadedTable | None = None
    with open_bytes(path) as file:
        for number, raw in enumerate(lines_of(file, path), start=1):
            line = _decoded(raw).rstrip("\r\n")
            if not line.strip():
                continue
            form = form or unheaded_table(line)
            assert form is not None, "the first line has decided that the file is read this way"
            yield number, form.row(line)


def _decoded(line: bytes) -> str:
    try:
        return line.decode("utf-8-sig")
    except UnicodeDecodeError:
        return line.decode("latin-1")
