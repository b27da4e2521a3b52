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
    """+1 for exactly *target* titles, else ``-|n - target| / target``.

    n is the number of titles that are not wasted: that repeat no earlier one, were not seen and are in
    the catalog. Titles that are wasted count where the list is too long: n is then all of them.
    """

    scope: ClassVar[Scope] = "list"

    target: int = Field(default=10, ge=1)
    """Titles that a completion should list; at most the K ranks of the run."""
    distinct: bool = True
    """Count only titles that are not wasted, so that neither repeating a safe title nor naming a seen
    one is a way out; false: count every title, as the Safe-Rank-GRPO paper's reference implementation."""

    def range(self, num_ranks: int) -> tuple[float, float]:
        """Return the values of the worst and of the right length."""
        return -max(self.target, num_ranks - self.target) / self.target, 1.0

    def __call__(self, lists: JudgedLists) -> Float[Tensor, " N"]:
        """Reward the length of each list."""
        miss = (lists.lengths - self.target).abs()
        if self.distinct:
            miss = miss.maximum((lists.useful_lengths - self.target).abs())
        miss = miss / self.target
        return torch.where(miss == 0, torch.ones_like(miss), -miss)
