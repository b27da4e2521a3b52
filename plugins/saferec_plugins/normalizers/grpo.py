"""GRPO: one reward per rank, compared with the siblings."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.normalizer import (
    EPS,
    Advantages,
    Invariance,
    Normalizer,
    WeightedRewards,
    deviation,
    standardize,
    varies,
)

__all__ = ["GRPONormalizer", "has_value"]


@component
class GRPONormalizer(Normalizer):
    """``A = (r - mean_G) / (std_G + eps)`` per prompt and rank, ``r`` the weighted sum of the rewards.

    Rank-GRPO (arXiv 2510.20150). Statistics run over the siblings that wrote the rank.
    """

    invariances: ClassVar[frozenset[Invariance]] = frozenset({"shift"})

    def __call__(self, rewards: WeightedRewards) -> Advantages:
        """Compute the advantages of a generation batch."""
        by_list = torch.einsum("l,ln->n", rewards.list_weights, rewards.list.nan_to_num(0.0))
        total = _weighted_sum(rewards.rank, rewards.rank_weights) if len(rewards.rank) else 0.0
        total = total + by_list[:, None]  # (N, K)
        valued = rewards.rank_mask & has_value(rewards)
        total = torch.where(valued, total, torch.nan)
        grouped = total.view(-1, rewards.group_size, total.shape[1])  # (B, G, K)
        list_total = torch.where((~rewards.list.isnan()).any(0), by_list, torch.nan)
        advantages = standardize(grouped, dim=1).view_as(total).nan_to_num(0.0)
        return Advantages(
            rank=advantages,
            list=_list_part(list_total.view(-1, rewards.group_size), grouped).flatten(),
        )


def _weighted_sum(rewards: Tensor, weights: Tensor) -> Tensor:
    return torch.einsum("f,fnk->nk", weights, rewards.nan_to_num(0.0))


def has_value(rewards: WeightedRewards) -> Tensor:
    """Tell for each rank whether any reward function has a value there."""
    by_rank = (~rewards.rank.isnan()).any(0)  # (N, K)
    by_list = (~rewards.list.isnan()).any(0)  # (N,)
    return by_rank | by_list[:, None]


def _list_part(by_list: Tensor, grouped: Tensor) -> Tensor:
    """Centre the list rewards (B, G) per prompt, on the scale that the prompt's ranks have.

    The scale is the mean deviation of the ranks that vary, or the list rewards' own if that is larger.
    If nothing but list rewards varies, a token of no rank thus gets what a token of a rank gets.
    """
    centred = (by_list - by_list.nanmean(1, keepdim=True)).nan_to_num(0.0)
    moving = varies(grouped, dim=1)[:, 0]  # (B, K)
    by_rank = torch.where(moving, deviation(grouped, dim=1)[:, 0], torch.nan)
    scale = by_rank.nanmean(1, keepdim=True).nan_to_num(0.0).maximum(deviation(by_list, dim=1))
    return torch.where(varies(by_list, dim=1), centred / (scale + EPS), 0.0)
