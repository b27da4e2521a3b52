"""How many tokens records have, counted in batches and shared among the processes that train together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from saferec_core.data.records import Record
from saferec_core.runs.distributed import gathered, process_count, process_index

__all__ = ["token_lengths"]

_BATCH = 1024


def token_lengths(records: Sequence[Record], render: Callable[[Record], str], tokenizer: Any) -> list[int]:
    """Return the number of tokens of each record; where there are several, all processes have to call.

    Args:
        records: The same on every process.
        render: Writes a record as the policy reads it, special tokens included.
        tokenizer: Of the policy.
    """
    if len(records) == 1:
        return _counted(records, render, tokenizer)
    processes = process_count()
    lengths = [0] * len(records)
    for process, part in enumerate(
        gathered(_counted(records[process_index() :: processes], render, tokenizer))
    ):
        lengths[process::processes] = part
    return lengths


def _counted(records: Sequence[Record], render: Callable[[Record], str], tokenizer: Any) -> list[int]:
    lengths: list[int] = []
    for start in range(0, len(records), _BATCH):
        texts = [render(record) for record in records[start : start + _BATCH]]
        lengths += map(len, tokenizer(texts, add_special_tokens=False)["input_ids"])
    return lengths
