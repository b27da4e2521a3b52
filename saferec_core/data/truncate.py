"""Prompts that are too long lose their oldest turns, never the last."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import overload

from saferec_core.data.records import Message, Record

__all__ = ["Fitted", "fit_records"]


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
    kept, shortened, left_out = array("q"), {}, 0
    for position, length in enumerate(lengths(records)):
        if length > limit:
            fitting = _shortened(records[position], limit, lengths)
            if fitting is None:
                left_out += 1
                continue
            shortened[position] = fitting
        kept.append(position)
    return Fitted(_Fitting(records, kept, shortened), len(shortened), left_out)


@dataclass(frozen=True)
class _Fitting(Sequence[Record]):
    """Records by position, some of them shortened; the others stay where they are."""

    records: Sequence[Record]
    kept: array[int]
    shortened: Mapping[int, Record]

    def __len__(self) -> int:
        return len(self.kept)

    @overload
    def __getitem__(self, position: int) -> Record: ...

    @overload
    def __getitem__(self, position: slice) -> list[Record]: ...

    def __getitem__(self, position: int | slice) -> Record | list[Record]:
        """Return a record, or those of a slice."""
        if isinstance(position, slice):
            return [self[n] for n in range(*position.indices(len(self)))]
        at = self.kept[position]
        return self.shortened.get(at) or self.records[at]


def _shortened(
    record: Record, limit: int, lengths: Callable[[Sequence[Record]], Sequence[int]]
) -> Record | None:
    candidate = record
    while (turns := _without_oldest(candidate.prompt)) is not None:
        candidate = replace(candidate, prompt=turns)
        if lengths([candidate])[0] <= limit:
            return candidate
    return None


def _without_oldest(prompt: Sequence[Message]) -> Sequence[Message] | None:
    """Drop the oldest turn and the reply to it; None if only the last turn is left."""
    head = [message for message in prompt[:1] if message["role"] == "system"]
    turns = list(prompt[len(head) :])
    if len(turns) <= 1:
        return None
    turns = turns[1:]
    while len(turns) > 1 and turns[0]["role"] != "user":
        turns = turns[1:]
    return [*head, *turns]
