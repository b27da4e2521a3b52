"""The one form of a finished dataset's rows: its columns, and the split that each row belongs to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from saferec_core.data.constraint_sentences import STATED, stated_in
from saferec_core.data.records import constraints_of, messages_of, seen_titles_of, titles_of
from saferec_core.data.rows import Row
from saferec_core.data.titles import Title
from saferec_core.errors import DataError

__all__ = ["COLUMNS", "SPLITS", "plain_record", "split_of"]


SPLITS = ("train", "validation", "test")
"""The splits, in their order."""


def split_of(row: Row) -> str:
    """Return the split that a row belongs to.

    Raises:
        DataError: It names one that does not exist.
    """
    split = row.get("split")
    if split is None:
        return "train"
    if split not in SPLITS:
        raise DataError(f"split must be {', '.join(SPLITS[:-1])} or {SPLITS[-1]}, but is {split!r}")
    return str(split)


def plain_record(row: Row) -> Row:
    """Return the row in the one form that all files have; columns without a value are left out.

    Raises:
        DataError: A column does not hold what is expected.
    """
    columns = [column for column in COLUMNS if column == "prompt" or row.get(column) is not None]
    columns += [column for column in row if column not in COLUMNS and row[column] is not None]
    return {column: _PLAIN[column](row) if column in _PLAIN else row[column] for column in columns}


def _pairs(titles: Sequence[Title | str]) -> list[list[Any]]:
    pairs: list[list[Any]] = [[title, None] if isinstance(title, str) else [*title] for title in titles]
    for name, year in pairs:
        if year is not None and not -(2**31) <= year < 2**31:
            raise DataError(f"the year of {name!r} is {year}")
    return pairs


COLUMNS = (
    "id",
    "user",
    "time",
    "split",
    "prompt",
    "completion",
    "groundtruth_with_release_year",
    "seen_titles",
    "constraints",
)
"""The order in which columns stand; others follow as they come."""


_PLAIN: dict[str, Callable[[Row], list[Any]]] = {
    "prompt": messages_of,
    "completion": lambda row: messages_of(row, "completion"),
    "groundtruth_with_release_year": lambda row: _pairs(titles_of(row)),
    "seen_titles": lambda row: _pairs(seen_titles_of(row)),
    "constraints": lambda row: list(constraints_of(row)),
    STATED: lambda row: [{"trait": trait, "sentence": sentence} for trait, sentence in stated_in(row)],
}
