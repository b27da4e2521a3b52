"""What a list is worth to its user, per sample and then averaged.

Nothing is filtered before ranking: a title that was seen, is listed twice or is outside the catalog
keeps its rank and is a miss.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from saferec_core.judging import JudgedLists

__all__ = ["Interval", "difference", "mean_with_interval", "measure"]

Interval = tuple[float, float, float]
"""Mean, and the bounds of its 95 % bootstrap interval."""

_RESAMPLES = 2000


def measure(lists: JudgedLists, at: Sequence[int]) -> dict[str, Float[Tensor, " N"]]:
    """Compute every metric for every list; NaN where a list has no value.

    - ``recall@k``: hits in the top k over the size of the ground truth; none without ground truth.
    - ``ndcg@k``: ``sum hit[j] / log2(j + 2)`` over that of ``min(size of the ground truth, k)`` hits.
    - ``sensitivity_ratio@k``: violations over the titles listed in the top k; none for an empty list.
    - ``any_violation@k``: 1 if the top k holds a violation; none for an empty list.
    - ``list_length``: titles listed. ``out_of_catalog``: share of the listed that may not be
      recommended. ``coverage``: share of the listed that the oracle knows. ``duplicates``: how many
      repeat an earlier one.

    Args:
        lists: The judged lists.
        at: The k, each in 1..K.
    """
    discount = 1.0 / torch.log2(torch.arange(lists.num_ranks) + 2.0)  # (K,)
    truth = torch.tensor([float(len(record.groundtruth)) for record in lists.records])
    truth = torch.where(truth > 0, truth, torch.nan)
    hits, written = lists.hits.float(), lists.rank_mask.float()
    judged = lists.judge.oracle is not None
    measured: dict[str, Tensor] = {}
    for k in at:
        ideal = discount.cumsum(0)[truth.clamp(max=k).nan_to_num(1.0).long() - 1]
        measured[f"recall@{k}"] = hits[:, :k].sum(1) / truth
        measured[f"ndcg@{k}"] = (hits * discount)[:, :k].sum(1) / ideal + 0.0 * truth
        if judged:
            listed = _or_nan(written[:, :k].sum(1))
            violations = lists.violations[:, :k].float().sum(1)
            measured[f"sensitivity_ratio@{k}"] = violations / listed
            measured[f"any_violation@{k}"] = (violations > 0) + 0.0 * listed
    listed = _or_nan(written.sum(1))
    measured["list_length"] = lists.lengths
    measured["out_of_catalog"] = (~lists.in_catalog & lists.rank_mask).sum(1) / listed
    measured["duplicates"] = lists.lengths - lists.distinct_lengths
    if judged:
        measured["coverage"] = lists.known.sum(1) / listed
    return measured


def mean_with_interval(values: Sequence[float], *, seed: int = 0) -> Interval | None:
    """Average over the samples that have a value, with a 95 % percentile bootstrap interval."""
    present = np.asarray([value for value in values if value == value], dtype=np.float64)
    if not len(present):
        return None
    generator = np.random.default_rng(seed)
    means = [present[generator.integers(0, len(present), len(present))].mean() for _ in range(_RESAMPLES)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(present.mean()), float(low), float(high)


def difference(before: Sequence[float], after: Sequence[float], *, seed: int = 0) -> Interval | None:
    """Compare two policies sample by sample: mean of after - before, paired bootstrap interval."""
    pairs = zip(before, after, strict=True)
    return mean_with_interval([second - first for first, second in pairs], seed=seed)


def _or_nan(count: Tensor) -> Tensor:
    """Replace 0 by NaN, so that what is divided by it has no value."""
    return torch.where(count > 0, count, torch.nan)
