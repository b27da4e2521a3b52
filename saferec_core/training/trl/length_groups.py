"""An order of training samples in which those of a batch are about as long, so that little is padded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import Sampler

__all__ = ["LengthGroups"]

_POOL = 50
"""Batches whose samples are sorted together: enough to find equals, few enough to keep chance alive."""


class LengthGroups(Sampler[int]):
    """Draws an order for each epoch: at random, then sorted by length within pools, batches at random.

    The order depends on seed and epoch alone, so that every process draws the same, and a resumed run too.
    That of transformers (``train_sampling_strategy="group_by_length"``) depends on the global generator, and
    goes from the longest to the shortest within every pool.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        """Sample from as many records as there are *lengths*.

        Args:
            lengths: Tokens of each sample.
            batch_size: Samples of an optimizer step, of all processes together.
            seed: Seed of the run.
        """
        self._lengths = torch.tensor(lengths)
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = 0

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self._lengths)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch whose order is drawn next."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[int]:
        """Yield the position of every sample once; an incomplete batch comes last."""
        generator = torch.Generator().manual_seed(self._seed + self._epoch)
        drawn = torch.randperm(len(self), generator=generator)
        pools = torch.split(drawn, _POOL * self._batch_size)
        ordered = torch.cat([pool[self._lengths[pool].argsort(stable=True)] for pool in pools])
        *batches, last = torch.split(ordered, self._batch_size)
        shuffled = [batches[number] for number in torch.randperm(len(batches), generator=generator)]
        yield from torch.cat([*shuffled, last]).tolist()
