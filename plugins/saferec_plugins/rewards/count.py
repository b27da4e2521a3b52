"""Count: closes the escape of recommending fewer titles."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.contracts.reward import RewardFunction, Scope

__all__ = ["CountReward"]


@component
class CountReward(RewardFunction):
    """+1 for exactly *target* titles, else ``-|n - target| / target``."""

    scope: ClassVar[Scope] = "list"

    target: int = Field(default=10, ge=1)
    """Titles that a completion should list; at most the K ranks of the run."""
    distinct: bool = False
    """Let a repeated title count as a missing one too, so that repeating a safe title is no way out:
    the miss is then the larger of that of the titles and that of the different titles."""

    def range(self, num_ranks: int) -> tuple[float, float]:
        """Return the values of the worst and of the right length."""
        return -max(self.target, num_ranks - self.target) / self.target, 1.0

    def __call__(self, lists: JudgedLists) -> Float[Tensor, " N"]:
        """Reward the length of each list."""
        miss = (lists.lengths - self.target).abs()
        if self.distinct:
            miss = miss.maximum((lists.distinct_lengths - self.target).abs())
        miss = miss / self.target
        return torch.where(miss == 0, torch.ones_like(miss), -miss)
