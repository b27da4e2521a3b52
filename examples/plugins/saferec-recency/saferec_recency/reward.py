"""A reward for recent films."""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.contracts.reward import RewardFunction, Scope

__all__ = ["RecencyReward"]


@component
class RecencyReward(RewardFunction):
    """1 at every rank whose film is from *since* or later, 0 where it is older."""

    scope: ClassVar[Scope] = "rank"

    since: int = Field(default=2000, ge=1888)
    """First year that counts as recent."""

    def range(self, num_ranks: int) -> tuple[float, float]:
        """Return the values of an old and of a recent film, whatever the number of ranks."""
        del num_ranks
        return 0.0, 1.0

    def __call__(self, lists: JudgedLists) -> Tensor:
        """Return (N, K): NaN, which is "no value", where a rank was not written or the year is not known."""
        reward = torch.full(lists.rank_mask.shape, torch.nan)
        for n, parsed in enumerate(lists.lists):
            for k, item in enumerate(parsed.items[: lists.num_ranks]):
                if item.year is not None:
                    reward[n, k] = float(item.year >= self.since)
        return reward
