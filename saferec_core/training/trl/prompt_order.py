"""The order in which TRL takes prompts and samples, in eight bytes a record.

TRL and torch keep it in lists of Python's numbers, 40 to 100 bytes a record: a gigabyte for ten million.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor
from torch.utils.data import Sampler
from trl.trainer.utils import RepeatSampler

__all__ = ["OrderedPrompts", "SampleOrder", "TensorSampler"]

_AT_ONCE = 1024


class TensorSampler(RepeatSampler):  # type: ignore[misc]  # TRL ships no types
    """Takes prompts in the order of TRL's sampler."""

    def __iter__(self) -> Iterator[int]:
        if self.shuffle:
            order = torch.randperm(self.num_samples, generator=self.generator)
        else:
            order = torch.arange(self.num_samples)
        whole_batches = order[: self.num_samples // self.batch_size * self.batch_size]
        for positions in _parts(whole_batches, self.batch_size):
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


class SampleOrder(Sampler[int]):
    """Takes samples in the order of the sampler that accelerate puts in the place of torch's."""

    def __init__(self, number: int, seed: int) -> None:
        """Take so many samples; *seed* is that of the run."""
        self._number, self._seed, self._epoch = number, seed, 0

    def __len__(self) -> int:
        return self._number

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch whose order is drawn next."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[int]:
        """Yield the position of every sample once."""
        generator = torch.Generator().manual_seed(self._seed + self._epoch)
        for positions in _parts(torch.randperm(self._number, generator=generator), _AT_ONCE):
            yield from positions


def _parts(order: Int[Tensor, " M"], size: int) -> Iterator[list[int]]:
    """Yield the order in parts of *size*, each a list of Python's numbers."""
    for start in range(0, len(order), size):
        yield order[start : start + size].tolist()
