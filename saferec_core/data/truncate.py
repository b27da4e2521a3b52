"""Prompts that are too long lose their oldest turns, never the last."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import overload

from saferec_core.data.records import Message, Record

__all__ = ["Fitted", "fit_records"]

_REMEMBERED = 4096
"""Shortened records that are kept as objects once they were read: siblings of a prompt share one."""


@dataclass(frozen=True)
class Fitted:
    """Records that fit, and how many had to be changed or left out."""

    records: Sequence[Record]
    shortened: int
    """Records that lost their oldest turns."""
    left_out: int
    """Records whose last turn (and completion) alone is too long."""


def fit_records(
    records: Sequence[Record], limit: int, lengths: Callable[[Sequence[Record]], Sequence[int]]
) -> Fitted:
    """Shorten prompts until the record has at most *limit* tokens.

    The oldest turns go first. A system message and the last turn, which states the constraint, are
    kept whole; a record for which that is still too much is left out. Nothing is cut within a turn.

    Args:
        records: The records of a split.
        limit: Tokens that a record may have.
        lengths: Counts the tokens of each of several records; called once for all of them, then once for each
            way to shorten one.
    """
    left_out, shortened, kept_turns = array("q"), array("q"), array("i")
    for position, length in enumerate(lengths(records)):
        if length > limit:
            turns = _fitting_turns(records[position], limit, lengths)
            if turns is None:
                left_out.append(position)
            else:
                shortened.append(position)
                kept_turns.append(turns)
    return Fitted(_Fitting(records, left_out, shortened, kept_turns), len(shortened), len(left_out))


class _Fitting(Sequence[Record]):
    """Records without those that are left out; of those that are shortened only how is kept."""

    def __init__(
        self, records: Sequence[Record], left_out: array[int], shortened: array[int], kept_turns: array[int]
    ) -> None:
        """Read from *records*; positions in the arrays are those of *records*, ascending."""
        self._records, self._left_out = records, left_out
        self._shortened, self._kept_turns = shortened, kept_turns
        self._read_shortened = lru_cache(maxsize=_REMEMBERED)(self._shortened_at)

    def __len__(self) -> int:
        return len(self._records) - len(self._left_out)

    @overload
    def __getitem__(self, position: int) -> Record: ...

    @overload
    def __getitem__(self, position: slice) -> list[Record]: ...

    def __getitem__(self, position: int | slice) -> Record | list[Record]:
        """Return a record, or those of a slice."""
        if isinstance(position, slice):
            return [self[n] for n in range(*position.indices(len(self)))]
        if not -len(self) <= position < len(self):
            raise IndexError(f"record {position} of {len(self)}")
        at = self._position_before(position % len(self))
        number = bisect_left(self._shortened, at)
        is_shortened = number < len(self._shortened) and self._shortened[number] == at
        return self._read_shortened(number) if is_shortened else self._records[at]

    def _position_before(self, position: int) -> int:
        """Return where a record was before others were left out: behind every one left out before it."""
        out = bisect_right(range(len(self._left_out)), position, key=lambda n: self._left_out[n] - n)
        return position + out

    def _shortened_at(self, number: int) -> Record:
        record = self._records[self._shortened[number]]
        head, turns = _head_and_turns(record.prompt)
        return replace(record, prompt=[*head, *turns[-self._kept_turns[number] :]])


def _fitting_turns(
    record: Record, limit: int, lengths: Callable[[Sequence[Record]], Sequence[int]]
) -> int | None:
    """Return how many of the last turns of a prompt fit; None if not even one does."""
    candidate = record
    while (prompt := _without_oldest(candidate.prompt)) is not None:
        candidate = replace(candidate, prompt=prompt)
        if lengths([candidate])[0] <= limit:
            return len(_head_and_turns(prompt)[1])
    return None


def _without_oldest(prompt: Sequence[Message]) -> Sequence[Message] | None:
    """Drop the oldest turn and the reply to it; None if only the last turn is left."""
    head, turns = _head_and_turns(prompt)
    if len(turns) <= 1:
        return None
    turns = turns[1:]
    while len(turns) > 1 and turns[0]["role"] != "user":
        turns = turns[1:]
    return [*head, *turns]


def _head_and_turns(prompt: Sequence[Message]) -> tuple[list[Message], list[Message]]:
    """Separate the system message, if there is one, from the turns."""
    head = [message for message in prompt[:1] if message["role"] == "system"]
    return head, list(prompt[len(head) :])
