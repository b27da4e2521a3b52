"""Leave-one-out advantages."""

from typing import ClassVar

import torch
from torch import Tensor

from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.normalizer import (
    Advantages,
    Invariance,
    Normalizer,
    WeightedRewards,
    impute,
    varies,
)

__all__ = ["LeaveOneOut"]


@component
class LeaveOneOut(Normalizer):
    """``A_i = r_i - mean_{j != i} r_j`` per prompt and rank, ``r`` the weighted sum of the rewards.

    RLOO (arXiv 2402.14740). The mean runs over the other siblings that wrote the rank; a rank that one
    sibling alone wrote has nothing to be compared with, and gives 0. A reward without a value counts as
    the mean of the siblings that have one.
    """

    invariances: ClassVar[frozenset[Invariance]] = frozenset({"shift"})

    def __call__(self, rewards: WeightedRewards) -> Advantages:
        """Compute the advantages of a batch: (N, K) by rank, and (N,) for the list as a whole."""
        functions, rows, ranks = rewards.rank.shape
        shape = (rows // rewards.group_size, rewards.group_size)  # (B, G)
        rank = torch.where(rewards.rank_mask, rewards.rank, torch.nan).reshape(functions, *shape, ranks)
        whole = rewards.list.reshape(len(rewards.list), *shape)
        by_list = torch.einsum("l,lbg->bg", rewards.list_weights, impute(whole, dim=2))
        by_rank = torch.einsum("f,fbgk->bgk", rewards.rank_weights, impute(rank, dim=2))
        written = rewards.rank_mask.reshape(*shape, ranks)
        total = torch.where(written, by_rank + by_list[..., None], torch.nan)
        return Advantages(
            rank=_above_the_others(total).flatten(0, 1), list=_above_the_others(by_list).flatten()
        )


def _above_the_others(values: Tensor) -> Tensor:
    """Subtract from each value (B, G, ...) the mean of the others of its group; 0 where there are none."""
    count = (~values.isnan()).sum(1, keepdim=True)
    centered = (values - values.nanmean(1, keepdim=True)) * count / (count - 1).clamp(min=1)
    return torch.where(varies(values, dim=1), centered, 0.0).nan_to_num(0.0)
