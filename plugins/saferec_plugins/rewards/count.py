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
    """+1 for exactly *target* titles that are not wasted, else ``-miss / target``.

    The miss is the number of the first *target* ranks that are wasted (repeat an earlier one, were seen,
    are not in the catalog) or were not written, plus the number of titles beyond them. A further title
    thus never makes up for a wasted one: it only makes the list too long.
    """

    scope: ClassVar[Scope] = "list"

    target: int = Field(default=10, ge=1)
    """Titles that a completion should list; at most the K ranks of the run."""
    distinct: bool = True
    """Count only titles that are not wasted, so that neither repeating a safe title nor naming a seen
    one is a way out; false: ``|n - target|`` of all n titles, as the Safe-Rank-GRPO paper's reference
    implementation."""

    def range(self, num_ranks: int) -> tuple[float, float]:
        """Return the values of nothing useful in all K ranks and of the right length."""
        return -max(self.target, num_ranks) / self.target, 1.0

    def __call__(self, lists: JudgedLists) -> Float[Tensor, " N"]:
        """Reward the length of each list."""
        counted = lists.useful_counts(self.target) if self.distinct else lists.lengths.clamp(max=self.target)
        beyond = (lists.lengths - self.target).clamp(min=0)
        miss = (self.target - counted + beyond) / self.target
        return torch.where(miss == 0, torch.ones_like(miss), -miss)
