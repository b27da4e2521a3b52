"""F-GRPO's split: an order-free reward for choosing, a position-aware one for ordering."""

from typing import ClassVar

import torch
from torch import Tensor

from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.contracts.reward import RewardFunction, Scope

__all__ = ["CoverageReward", "UtilityReward"]

_TRUTH = "groundtruth_with_release_year"


@component
class CoverageReward(RewardFunction):
    """Share of the ground truth that the first K ranks hold, whatever their order; no value without any.

    The order-invariant coverage reward of F-GRPO (arXiv 2605.12995). At most K titles can be held.
    """

    scope: ClassVar[Scope] = "list"
    columns: ClassVar[tuple[str, ...]] = (_TRUTH,)

    def range(self, num_ranks: int) -> tuple[float, float]:
        """Return the values of no hit and of nothing but hits."""
        del num_ranks
        return 0.0, 1.0

    def __call__(self, lists: JudgedLists) -> Tensor:
        """Return (N,)."""
        possible = lists.truth_sizes.clamp(max=lists.num_ranks)
        return torch.where(possible > 0, lists.hits.sum(1) / possible, torch.nan)


@component
class UtilityReward(RewardFunction):
    """``hit[k] / log2(k + 2)`` at rank k + 1: what the hit adds to the DCG of the list.

    The position-aware utility reward of F-GRPO (arXiv 2605.12995), credited to the rank that earns it.
    """

    scope: ClassVar[Scope] = "rank"
    columns: ClassVar[tuple[str, ...]] = (_TRUTH,)

    def range(self, num_ranks: int) -> tuple[float, float]:
        """Return the values of a miss and of a hit at the first rank."""
        del num_ranks
        return 0.0, 1.0

    def __call__(self, lists: JudgedLists) -> Tensor:
        """Return (N, K); a rank that was not written is a miss."""
        return lists.hits / (torch.arange(lists.num_ranks) + 2.0).log2()
