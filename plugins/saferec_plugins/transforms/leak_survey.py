"""Surveys all rows of a dataset for leaks from one split into another."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from typing import Literal

from saferec_core.data.dataset_rows import SPLITS, split_of
from saferec_core.data.leakage import conversation_key, dialogue_of, small_hash
from saferec_core.data.rows import Row
from saferec_core.errors import DataError
from saferec_core.plugins.contracts.transform import Transform
from saferec_plugins.transforms.importers.raw_values import name_of

__all__ = ["By", "LeakSurvey", "kept_apart_by", "split_index"]

By = Literal["user", "time", "sample"]
"""What splits keep apart; by sample, the dialogues that samples are cut from."""

_UNDEALT = -1


def split_index(row: Row, dealer: Transform) -> int:
    """Return the index in `SPLITS` of the split that a row has or is assigned to.

    Raises:
        DataError: The row names a split that does not exist, or lacks what the dealer goes by.
    """
    if row.get("split") is None:
        (row,) = (dealt for dealt in dealer([row]) if isinstance(dealt, dict))
    return SPLITS.index(split_of(row))


def kept_apart_by(row: Row, by: By) -> str | int | None:
    """Return the user, time or dialogue that no two splits may share; None if the row names no dialogue.

    Raises:
        DataError: The row does not have it.
    """
    if by == "user":
        return name_of(row, "user")
    if by == "sample":
        return None if row.get("id") is None else dialogue_of(name_of(row, "id"))
    time = row.get("time")
    if type(time) is not int:
        raise DataError(f"time: expected whole seconds since 1970, but got {time!r}")
    return time


class LeakSurvey:
    """Keeps a few numbers of every row: hash of the conversation, split, and time.

    Eight bytes, one, and eight; the hashes of users or dialogues besides, if they are kept apart.
    """

    def __init__(self, by: By) -> None:
        """Begin with nothing.

        Args:
            by: What no two splits may share.
        """
        self._by = by
        self._conversations = array("q")
        self._splits = array("b")
        self._times = array("q")
        self._split_of: dict[int, int] = {}

    def reading(self, rows: Iterable[Row], split: Transform) -> Iterator[Row]:
        """Take the rows in while they are read, and yield those that are still to be dealt out.

        Args:
            rows: All rows.
            split: Deals them out, except by time, for which all times have to be known.

        Raises:
            DataError: A user or dialogue is in two splits although none may be.
        """
        for row in rows:
            undealt = row.get("split") is None
            try:
                kept_apart = kept_apart_by(row, self._by)
                split_number = _UNDEALT if undealt and self._by == "time" else split_index(row, split)
            except DataError:
                continue  # it will be rejected for the same reason
            self._conversations.append(conversation_key(row))
            self._splits.append(split_number)
            self._times.append(kept_apart if isinstance(kept_apart, int) else 0)
            if isinstance(kept_apart, str):
                self._keep_apart(kept_apart, split_number)
            if undealt:
                yield row

    def first_splits(self, dealer: Transform) -> Mapping[int, int]:
        """Return the first split of every conversation that is in several.

        Args:
            dealer: Assigns splits by time to rows that have none yet.

        Raises:
            DataError: A split begins before an earlier one has ended although none may.
        """
        for position, split in enumerate(self._splits):
            if split == _UNDEALT:
                self._splits[position] = split_index({"time": self._times[position]}, dealer)
        if self._by == "time":
            self._check_times()
        first: dict[int, int] = {}
        several: set[int] = set()
        for conversation, split in zip(self._conversations, self._splits, strict=True):
            known = first.setdefault(conversation, split)
            if known != split:
                several.add(conversation)
                first[conversation] = min(known, split)
        return {conversation: first[conversation] for conversation in several}

    def _keep_apart(self, name: str, split: int) -> None:
        other = self._split_of.setdefault(small_hash(name), split)
        if other != split:
            what, else_by = ("user", "time or by = sample") if self._by == "user" else ("dialogue", "time")
            raise DataError(
                f"{what} {name!r} has samples in {SPLITS[min(split, other)]} and in "
                f"{SPLITS[max(split, other)]}, but by = {self._by} promises that no {what} is in two splits. "
                f"Say by = {else_by} if the rows were split so, or drop their column 'split'"
            )

    def _check_times(self) -> None:
        spans: dict[int, tuple[int, int]] = {}
        for split, time in zip(self._splits, self._times, strict=True):
            first, last = spans.get(split, (time, time))
            spans[split] = (min(first, time), max(last, time))
        for earlier, later in pairwise(sorted(spans)):
            ends, begins = spans[earlier][1], spans[later][0]
            if ends > begins:
                raise DataError(
                    f"{SPLITS[earlier]} has a sample of {_moment(ends)}, but {SPLITS[later]} begins at "
                    f"{_moment(begins)}, and by = time promises that no split begins before an earlier one "
                    "has ended. Say by = user or by = sample if the rows were split so, or drop their "
                    "column 'split'"
                )


def _moment(time: int) -> str:
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M:%S}"
