"""A reward for recent films."""

from typing import ClassVar

import torch
from pydantic import Field

from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.judged_lists import JudgedLists

__all__ = ["RecencyReward"]


@component
class RecencyReward:
    """1 at every rank whose film is from *since* or later, 0 where it is older."""

    scope: ClassVar[str] = "rank"
    columns: ClassVar[tuple[str, ...]] = ()

    since: int = Field(default=2000, ge=1888)
    """First year that counts as recent."""

    def __call__(self, lists: JudgedLists) -> torch.Tensor:
        """Return (N, K): NaN, that is no value, where a rank was not written."""
        reward = torch.full(lists.rank_mask.shape, torch.nan)
        for n, parsed in enumerate(lists.lists):
            for k, item in enumerate(parsed.items[: lists.num_ranks]):
                reward[n, k] = float(item.year >= self.since)
        return reward
