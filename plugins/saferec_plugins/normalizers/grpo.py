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
    impute,
    standardize,
    varies,
)

__all__ = ["GRPONormalizer", "has_value"]


@component
class GRPONormalizer(Normalizer):
    """``A = (r - mean_G) / (std_G + eps)`` per prompt and rank, ``r`` the weighted sum of the rewards.

    Rank-GRPO (arXiv 2510.20150). Statistics run over the siblings that wrote the rank. Where a reward
    has no value, as safety of an unknown title, it counts as the mean of the siblings that have one.
    """

    invariances: ClassVar[frozenset[Invariance]] = frozenset({"shift"})

    scale_rewards: bool = True
    """Divide by the deviation of the siblings; false: only subtract the mean (Dr. GRPO, arXiv
    2503.20783), so that a prompt whose siblings hardly differ weighs hardly anything."""

    dynamic_sampling: bool = False
    """Have prompts whose siblings all earn the same replaced by further ones (DAPO, arXiv 2503.14476)."""

    def __call__(self, rewards: WeightedRewards) -> Advantages:
        """Compute the advantages of a generation batch."""
        size = rewards.group_size
        functions, rows, ranks = rewards.rank.shape
        shape = (rows // size, size, ranks)
        rank = torch.where(rewards.rank_mask, rewards.rank, torch.nan).view(functions, *shape)
        whole = rewards.list.reshape(len(rewards.list), *shape[:2])  # (L, B, G)
        by_list = torch.einsum("l,lbg->bg", rewards.list_weights, impute(whole, dim=2))
        total = torch.einsum("f,fbgk->bgk", rewards.rank_weights, impute(rank, dim=2)) + by_list[..., None]
        valued = (rewards.rank_mask & has_value(rewards)).view(shape)
        total = torch.where(valued, total, torch.nan)  # (B, G, K)
        list_total = torch.where((~whole.isnan()).any(0), by_list, torch.nan)
        list_floor = rewards.list_weights @ rewards.list_floors
        floor = rewards.rank_weights @ rewards.rank_floors + list_floor
        return Advantages(
            rank=self._rank_part(total, floor).flatten(0, 1),
            list=self._list_part(list_total, total, list_floor).flatten(),
        )

    def _rank_part(self, total: Tensor, floor: Tensor) -> Tensor:
        """Compare each rank (B, G, K) with that of the siblings."""
        if self.scale_rewards:
            return standardize(total, dim=1, floor=floor).nan_to_num(0.0)
        centered = (total - total.nanmean(1, keepdim=True)).nan_to_num(0.0)
        return torch.where(varies(total, dim=1, floor=floor), centered, 0.0)

    def _list_part(self, by_list: Tensor, total: Tensor, floor: Tensor) -> Tensor:
        """Center the list rewards (B, G) per prompt, on the scale that the prompt's ranks have.

        The scale is the mean deviation of the ranks that vary, or the list rewards' own if that is
        larger. If nothing but list rewards varies, a token of no rank thus gets what a token of a rank
        gets.
        """
        centered = (by_list - by_list.nanmean(1, keepdim=True)).nan_to_num(0.0)
        if self.scale_rewards:
            moving = varies(total, dim=1)[:, 0]  # (B, K)
            by_rank = torch.where(moving, deviation(total, dim=1)[:, 0], torch.nan)
            scale = by_rank.nanmean(1, keepdim=True).nan_to_num(0.0).maximum(deviation(by_list, dim=1))
            centered = centered / (scale + EPS)
        return torch.where(varies(by_list, dim=1, floor=floor), centered, 0.0)


def has_value(rewards: WeightedRewards) -> Tensor:
    """Tell for each rank whether any reward function has a value there."""
    by_rank = (~rewards.rank.isnan()).any(0)  # (N, K)
    by_list = (~rewards.list.isnan()).any(0)  # (N,)
    return by_rank | by_list[:, None]
