"""How many tokens records have, counted in batches and shared among the processes that train together."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Any

from saferec_core.data.records import Record
from saferec_core.data.selected import Selected
from saferec_core.runs.distributed import gathered, process_count, process_index

__all__ = ["bounded_lengths", "token_lengths"]

_BATCH = 1024


def token_lengths(
    records: Sequence[Record], render: Callable[[Record], str], tokenizer: Any
) -> Sequence[int]:
    """Return the number of tokens of each record; where there are several, all processes have to call.

    Args:
        records: The same on every process.
        render: Writes a record as the policy reads it, special tokens included.
        tokenizer: The policy's tokenizer.
    """
    if len(records) == 1:
        return _counted(records, render, tokenizer)
    processes = process_count()
    own = (
        iter(records)
        if processes == 1
        else map(records.__getitem__, range(process_index(), len(records), processes))
    )
    lengths = array("i", bytes(4 * len(records)))
    for process, part in enumerate(gathered(_counted(own, render, tokenizer))):
        lengths[process::processes] = part
    return lengths


def bounded_lengths(
    records: Sequence[Record], limit: int, render: Callable[[Record], str], tokenizer: Any
) -> Sequence[int]:
    """Return for each record a number of tokens that exceeds *limit* exactly if its own does.

    Only prompts with more bytes than *limit* are counted: a token is at least one byte, so that nothing has
    to be counted where the context of a model is far from filled. A chat template is taken to add to each
    turn at most what it adds to a prompt of one.

    Args:
        records: The same on every process.
        limit: Tokens that a record may have.
        render: Writes the prompt of a record as the policy reads it, special tokens included.
        tokenizer: The policy's tokenizer.
    """
    around = len(render(Record(prompt=[{"role": "user", "content": "x"}])).encode())
    lengths = array("q", (_bytes_of(record, around) for record in records))
    long = array("q", (position for position, most in enumerate(lengths) if most > limit))
    counted = token_lengths(Selected(records, long), render, tokenizer)
    for position, length in zip(long, counted, strict=True):
        lengths[position] = length
    return lengths


def _bytes_of(record: Record, around: int) -> int:
    return sum(around + len(str(message["content"]).encode()) for message in record.prompt)


def _counted(records: Iterable[Record], render: Callable[[Record], str], tokenizer: Any) -> array[int]:
    lengths = array("i")
    records = iter(records)
    while texts := [render(record) for record in islice(records, _BATCH)]:
        lengths.extend(map(len, tokenizer(texts, add_special_tokens=False)["input_ids"]))
    return lengths
