"""The prompts of a run as the dataset that TRL wants, without a copy of any."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self
from uuid import uuid4

import numpy as np
from datasets import Dataset

from saferec_core.data.records import Record

__all__ = ["prompt_dataset"]


def prompt_dataset(records: Sequence[Record]) -> Dataset:
    """Return a dataset that reads each prompt from its record when the prompt is asked for.

    Its columns are ``record``, the position of the record, and ``prompt``.
    """
    numbers = Dataset.from_dict({"record": np.arange(len(records), dtype=np.int32)})
    numbers.set_transform(_PromptReader(records))
    return numbers


class _PromptReader:
    """Reads prompts by the positions of their records.

    ``datasets`` pickles what it is given to name the result; of this it pickles a random name, or it would
    write all records into memory.
    """

    def __init__(self, records: Sequence[Record]) -> None:
        self._records = records
        self._name = uuid4().hex

    def __call__(self, rows: dict[str, list[int]]) -> dict[str, list[Any]]:
        """Add the prompts of some rows."""
        return {**rows, "prompt": [list(self._records[position].prompt) for position in rows["record"]]}

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (self._name,)

    def __deepcopy__(self, _memo: dict[int, Any]) -> Self:
        return self
