"""An order of training samples in which those of a batch are about as long, so that little is padded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from transformers.trainer_pt_utils import LengthGroupedSampler

__all__ = ["LengthGroups"]


class LengthGroups(LengthGroupedSampler):  # type: ignore[misc]  # transformers ships no types for it
    """The order of transformers' ``group_by_length``, drawn by seed and epoch.

    That of transformers itself depends on the global generator, of which every process has its own.
    """

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        """Sample from as many records as there are *lengths*.

        Args:
            lengths: Tokens of each sample.
            batch_size: Samples of an optimizer step, of all processes together.
            seed: Seed of the run.
        """
        super().__init__(batch_size, lengths=lengths)
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch whose order is drawn next."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[int]:
        """Yield the position of every sample once."""
        self.generator = torch.Generator().manual_seed(self._seed + self._epoch)
        order: Iterator[int] = super().__iter__()
        return order
