"""GDPO: every reward compared with the siblings on its own, before any is added to another."""

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
from saferec_plugins.normalizers.grpo import GRPONormalizer, has_value

__all__ = ["GDPONormalizer"]

SMALLEST_SCALE = 0.1
"""Times the length of the vector of weights, the smallest deviation that the second step divides by:
z-scores that add up have about that length, and only rewards that cancel each other have less."""


@component
class GDPONormalizer(Normalizer):
    """Group-reward-decoupled normalization (GDPO, arXiv 2601.05242), per rank.

    ``z_f = (R_f - mean_G) / (std_G + eps)`` per reward function, prompt and rank; a list reward is
    normalized once per prompt and enters every written rank; ``t = sum_f w_f z_f``; then
    ``A = (t - mean) / (std + eps)`` over the written cells of the generation batch that carry
    information. A reward of small values is thus not drowned by one of large values, and a weight does
    what it says where rewards differ equally often: one that differs among the siblings in few cells adds
    to few of them (the alarm ``drowned-reward``). With a single reward function there is nothing to
    decouple, and this is ``grpo``.

    A cell carries information if, for its prompt and rank, any reward differs among the siblings. The
    others get exactly 0 and enter neither mean nor deviation: with them, the fewer cells differ, the
    larger the advantage that each of those gets, up to the root of the number of cells.
    """

    invariances: ClassVar[frozenset[Invariance]] = frozenset({"shift", "scale"})

    bounded: bool = True
    """Keep the second step to cells that carry information, and from dividing by less than 0.1 times the
    length of the vector of weights; false: over all written cells, as the Safe-Rank-GRPO paper's
    reference implementation."""

    dynamic_sampling: bool = False
    """Have prompts whose siblings all earn the same replaced by further ones (DAPO, arXiv 2503.14476)."""

    def __call__(self, rewards: WeightedRewards) -> Advantages:
        """Compute the advantages of a generation batch."""
        if rewards.num_functions == 1:
            return GRPONormalizer()(rewards)
        size = rewards.group_size
        functions, rows, ranks = rewards.rank.shape
        shape = (rows // size, size, ranks)
        rank = rewards.rank.reshape(functions, *shape)
        whole = rewards.list.reshape(len(rewards.list), *shape[:2])
        rank_floor, list_floor = rewards.rank_floors[:, None, None, None], rewards.list_floors[:, None, None]
        by_rank = standardize(rank, dim=2, floor=rank_floor).nan_to_num(0.0)
        by_list = standardize(whole, dim=2, floor=list_floor).nan_to_num(0.0)
        # A list reward enters every rank once it is normalized: its spread is over lists, not over ranks.
        list_part = torch.einsum("l,lbg->bg", rewards.list_weights, by_list)
        total = torch.einsum("f,fbgk->bgk", rewards.rank_weights, by_rank) + list_part[..., None]
        counts = (rewards.rank_mask & has_value(rewards)).view(shape)  # (B, G, K)
        # What carries no information may neither set the scale nor be shifted by the mean of what does.
        if self.bounded:
            list_moves = varies(whole, dim=2, floor=list_floor).any(0)  # (B, 1)
            counts = counts & (varies(rank, dim=2, floor=rank_floor).any(0) | list_moves[..., None])
            list_part = torch.where(list_moves, list_part, torch.nan)
        cells = torch.where(counts, total, torch.nan).flatten()  # (N * K,)
        list_cells = list_part[..., None].expand_as(total).flatten()  # counted as often as the ranks'
        scale, list_scale = self._scales(cells, list_cells, rewards)
        centered = torch.where(varies(cells, dim=0), cells - cells.nanmean(0, keepdim=True), 0.0)
        advantages = (centered / (scale + EPS)).nan_to_num(0.0)
        return Advantages(
            rank=torch.where(counts, advantages.view_as(total), 0.0).flatten(0, 1),
            list=(list_part.nan_to_num(0.0) / (list_scale + EPS)).flatten(),
        )

    def _scales(self, cells: Tensor, list_cells: Tensor, rewards: WeightedRewards) -> tuple[Tensor, Tensor]:
        """Return what the ranks' and the list's part are divided by."""
        scale, own = deviation(cells, dim=0), deviation(list_cells, dim=0)
        if not self.bounded:
            # Where no two written cells differ by more than eps, they set no scale for the others.
            return scale, torch.where(scale > EPS, scale, own)
        # z has deviation 1, so that the sum has about the norm of the weights; far below, little is left.
        weights = torch.cat([rewards.rank_weights, rewards.list_weights])
        scale = scale.clamp(min=SMALLEST_SCALE * float(weights.norm()))
        return scale, scale.maximum(own)
