"""Between ranks and tokens: advantages, weights and importance ratios, as pure functions of tensors.

Throughout, ``rank_ids`` gives for each completion token the index k of the rank that it belongs to,
or ``NO_RANK``; ``token_mask`` is True for the tokens of the completion and False for padding.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from saferec_core.models.decoding import NO_RANK

__all__ = ["rank_mean", "rank_weights", "spread"]


def spread(
    by_rank: Float[Tensor, "N K"], by_list: Float[Tensor, " N"], rank_ids: Int[Tensor, "N T"]
) -> Float[Tensor, "N T"]:
    """Give each token the value of its rank, and a token of no rank the value of its list."""
    of_rank = by_rank.gather(1, rank_ids.clamp(min=0))
    return torch.where(rank_ids == NO_RANK, by_list[:, None], of_rank)


def rank_mean(
    values: Float[Tensor, "N T"],
    rank_ids: Int[Tensor, "N T"],
    token_mask: Bool[Tensor, "N T"],
    num_ranks: int,
) -> Float[Tensor, "N T"]:
    """Replace each token's value by the mean over its rank; tokens of no rank keep their own.

    Of log ratios this is the logarithm of the rank-level importance ratio of Rank-GRPO
    (arXiv 2510.20150), the geometric mean of the token ratios.
    """
    counts = token_mask & (rank_ids != NO_RANK)
    totals = _per_rank(values * counts, rank_ids, num_ranks)
    sizes = _per_rank(counts.to(values.dtype), rank_ids, num_ranks)
    means = totals / sizes.clamp(min=1)
    return torch.where(rank_ids == NO_RANK, values, means.gather(1, rank_ids.clamp(min=0)))


def rank_weights(
    rank_ids: Int[Tensor, "N T"], token_mask: Bool[Tensor, "N T"], num_ranks: int
) -> Float[Tensor, "N T"]:
    """Return token weights that turn a mean over tokens into a mean over ranks.

    With ``w`` the weights of a completion and ``x`` any value that is the same all over a rank,
    ``mean_t(w x)`` equals the mean of ``x`` over the ranks that were written, each weighing the
    same; the tokens of no rank together weigh as one rank. 0 on padding.
    """
    segments = torch.where(rank_ids == NO_RANK, num_ranks, rank_ids)  # no rank: one more segment
    here = token_mask.float()
    sizes = _per_rank(here, segments, num_ranks + 1)  # (N, K + 1)
    present = (sizes > 0).sum(1, keepdim=True).clamp(min=1)
    tokens = here.sum(1, keepdim=True)
    return here * tokens / (present * sizes.gather(1, segments).clamp(min=1))


def _per_rank(values: Tensor, rank_ids: Tensor, num_ranks: int) -> Tensor:
    """Sum (N, T) values by rank; what belongs to no rank must be 0 already."""
    totals = values.new_zeros(values.shape[0], num_ranks)
    return totals.scatter_add(1, rank_ids.clamp(min=0), values)
