"""Between ranks and tokens: advantages, weights and importance ratios, as pure functions of tensors.

Throughout, ``rank_ids`` gives for each completion token the index k of the rank that it belongs to,
or ``NO_RANK``; ``token_mask`` is True for the tokens of the completion and False for padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor

from saferec_core.data.integers import int64_array
from saferec_core.models.decoding import NO_RANK
from saferec_core.models.token_decoders import NO_START
from saferec_core.plugins.contracts.parser import ParsedList, ParsedLists

__all__ = ["rank_mean", "rank_ratio", "rank_weights", "spread"]


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
    totals = _per_rank(torch.where(counts, values, 0.0), rank_ids, num_ranks)
    sizes = _per_rank(counts.to(values.dtype), rank_ids, num_ranks)
    means = totals / sizes.clamp(min=1)
    return torch.where(rank_ids == NO_RANK, values, means.gather(1, rank_ids.clamp(min=0)))


def rank_ratio(
    ratios: Float[Tensor, "N T"],
    rank_ids: Int[Tensor, "N T"],
    token_mask: Bool[Tensor, "N T"],
    num_ranks: int,
) -> Float[Tensor, "N T"]:
    """Replace each token's importance ratio by the geometric mean over its rank; no rank: its own.

    One token that the sampler and the trainer disagree about then weighs on its own rank, by a fraction,
    and not on the whole list.
    """
    smallest = torch.finfo(ratios.dtype).tiny  # a ratio that underflowed to 0 has no logarithm
    return rank_mean(ratios.clamp(min=smallest).log(), rank_ids, token_mask, num_ranks).exp()


def rank_weights(
    rank_ids: Int[Tensor, "N T"], token_mask: Bool[Tensor, "N T"], num_ranks: int
) -> Float[Tensor, "N T"]:
    """Return token weights that turn a mean over tokens into the mean over ranks of Rank-GRPO.

    With ``w`` the weights of a completion and ``x`` any value that is the same all over a rank,
    ``mean_t(w x)`` equals the sum of ``x`` over the ranks that were written and the tokens of no rank
    (together one more), divided by K + 1. The divisor is the same for every completion, as the
    paper's 1/N is: divided by the number of ranks written, each title of a short list would weigh
    more than each title of a long one. 0 on padding.
    """
    segments = torch.where(rank_ids == NO_RANK, num_ranks, rank_ids)  # no rank: one more segment
    here = token_mask.float()
    sizes = _per_rank(here, segments, num_ranks + 1)  # (N, K + 1)
    tokens = here.sum(1, keepdim=True)
    return here * tokens / ((num_ranks + 1) * sizes.gather(1, segments).clamp(min=1))


def _per_rank(values: Tensor, rank_ids: Tensor, num_ranks: int) -> Tensor:
    """Sum (N, T) values by rank; what belongs to no rank must be 0 already."""
    totals = values.new_zeros(values.shape[0], num_ranks)
    return totals.scatter_add(1, rank_ids.clamp(min=0), values)


def assign_ranks(
    starts: Sequence[NDArray[np.int64]], lists: Sequence[ParsedList], num_ranks: int
) -> list[NDArray[np.int64]]:
    """Give every token of N completions the rank in whose text it begins.

    A token that begins behind the text, such as a line break of its own, has no rank: going on or
    stopping is a decision about the list, and the title before it must not be charged with it.

    Args:
        starts: For each completion, the first character of each token (T,), in the order of the text or
            NO_START, from `TokenAligner.decode_all`.
        lists: The parsed lists; items beyond *num_ranks* have no rank.
        num_ranks: The number of ranks, K.

    Returns:
        For each completion and token (T,) the rank index k, from 0, or NO_RANK.
    """
    batch = lists if isinstance(lists, ParsedLists) else ParsedLists(lists)
    sizes = int64_array(batch.sizes)
    places = np.arange(sizes.sum()) - np.repeat(sizes.cumsum() - sizes, sizes)
    has_rank = places < num_ranks
    if not has_rank.any():
        return [np.full(own.shape, NO_RANK, dtype=np.int64) for own in starts]
    columns = batch.columns
    bounds = np.stack([columns.start[has_rank], columns.text_end[has_rank]])
    lengths = [len(own) for own in starts]
    tokens = np.concatenate(starts)
    # One text behind the other, so that all lines are looked up in all tokens at once.
    shift = 1 + max(int(bounds.max()), int(tokens.max(initial=0)))
    offsets = np.arange(len(lists)) * shift
    # Tokens that write nothing have no start; in their place stands that of the token before.
    positions = np.maximum.accumulate(tokens + np.repeat(offsets, lengths))
    bounds += np.repeat(offsets, sizes)[has_rank]
    # In turns the tokens before a line, which have no rank, and those of the line.
    ranks = np.full(bounds.size + 1, NO_RANK)
    ranks[1::2] = places[has_rank]
    counts = np.diff(positions.searchsorted(bounds.T.ravel()), prepend=0, append=len(tokens))
    assigned = np.repeat(ranks, counts)
    assigned[tokens == NO_START] = NO_RANK
    return [assigned[first:last] for first, last in pairwise([0, *accumulate(lengths)])]
