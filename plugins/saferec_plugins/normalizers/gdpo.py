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
)
from saferec_plugins.normalizers.grpo import GRPONormalizer, has_value

__all__ = ["GDPONormalizer"]


@component
class GDPONormalizer(Normalizer):
    """Group-reward-decoupled normalization (GDPO, arXiv 2601.05242), per rank.

    ``z_f = (R_f - mean_G) / (std_G + eps)`` per reward function, prompt and rank; a list reward is
    normalized once per prompt and enters every written rank; ``t = sum_f w_f z_f``; then
    ``A = (t - mean) / (std + eps)`` over all written cells of the generation batch. A sparse reward
    is thus not drowned by a dense one, and a weight does what it says. With a single reward function
    there is nothing to decouple, and this is ``grpo``.
    """

    invariances: ClassVar[frozenset[Invariance]] = frozenset({"shift", "scale"})

    def __call__(self, rewards: WeightedRewards) -> Advantages:
        """Compute the advantages of a generation batch."""
        if rewards.num_functions == 1:
            return GRPONormalizer()(rewards)
        size = rewards.group_size
        functions, rows, ranks = rewards.rank.shape
        groups = rows // size
        by_rank = standardize(rewards.rank.view(functions, groups, size, ranks), dim=2)
        by_list = standardize(rewards.list.view(len(rewards.list), groups, size), dim=2)
        list_part = _weighted_sum(by_list.reshape(-1, rows), rewards.list_weights)  # (N,)
        rank_part = _weighted_sum(by_rank.reshape(functions, rows * ranks), rewards.rank_weights)
        total = rank_part.view(rows, ranks) + list_part[:, None]
        valued = rewards.rank_mask & has_value(rewards)
        cells = torch.where(valued, total, torch.nan).flatten()  # (N * K,)
        scale = deviation(cells, dim=0)
        # Where no two written cells differ by more than eps, they set no scale for the others.
        list_scale = torch.where(scale > EPS, scale, deviation(list_part, dim=0))
        return Advantages(
            rank=standardize(cells, dim=0).view(rows, ranks).nan_to_num(0.0),
            list=list_part / (list_scale + EPS),
        )


def _weighted_sum(values: Tensor, weights: Tensor) -> Tensor:
    """Sum (F, M) over F by weight, leaving out what is NaN; zeros if there is no function."""
    return torch.einsum("f,fm->m", weights, values.nan_to_num(0.0))
