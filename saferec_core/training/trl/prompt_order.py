"""The order in which TRL takes prompts, in eight bytes a record.

TRL keeps it in lists of Python's numbers, 60 to 100 bytes a record: a gigabyte for ten million.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from typing import Any

import torch
from torch.utils.data import Sampler
from trl.trainer.utils import RepeatSampler

__all__ = ["OrderedPrompts", "TensorSampler"]


class TensorSampler(RepeatSampler):  # type: ignore[misc]  # TRL ships no types
    """Takes prompts in the order of TRL's sampler."""

    def __iter__(self) -> Iterator[int]:
        if self.shuffle:
            order = torch.randperm(self.num_samples, generator=self.generator)
        else:
            order = torch.arange(self.num_samples)
        whole_batches = order[: self.num_samples // self.batch_size * self.batch_size]
        for start in range(0, len(whole_batches), self.batch_size):
            positions = whole_batches[start : start + self.batch_size].tolist()
            for _ in range(self.repeat_count):
                for position in positions:
                    yield from repeat(position, self.mini_repeat_count)


class OrderedPrompts:
    """Mixin that precedes TRL's trainer among the bases of a class."""

    def _get_train_sampler(self, dataset: Any = None) -> Sampler[int]:
        """Return a sampler with the order of TRL's."""
        of_trl: Any = super()._get_train_sampler(dataset)  # type: ignore[misc]
        return TensorSampler(
            of_trl.data_source,
            of_trl.mini_repeat_count,
            of_trl.batch_size,
            of_trl.repeat_count,
            of_trl.shuffle,
            of_trl.seed,
        )
