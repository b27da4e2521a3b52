"""Relevance: how much of the ground truth a list finds, and how early."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.contracts.metric import Better, Metric, Role

__all__ = ["NDCG", "Recall"]


@component
class Recall(Metric):
    """Hits in the top k over the size of the ground truth; no value without ground truth.

    With more than k relevant titles even the best list stays below 1.
    """

    at_depth: ClassVar[bool] = True
    better: ClassVar[Better] = "higher"
    label: ClassVar[str] = "Recall"
    role: ClassVar[Role] = "relevance"
    primary: ClassVar[bool] = True

    def __call__(self, lists: JudgedLists, k: int) -> Float[Tensor, " N"]:
        """Divide the hits by what could be hit; 0 / 0 is NaN."""
        return lists.hit_counts[:, k - 1] / lists.truth_sizes


@component
class NDCG(Metric):
    """``sum hit[j] / log2(j + 2)`` over the top k (j from 0), over that of the best list of k titles.

    The best list has ``min(size of the ground truth, k)`` hits in front, however short the list in
    question is: one that stops early is not excused, unless *ideal* says so. No value without ground truth.
    (Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", 2002; gains of 0 and 1.)
    """

    at_depth: ClassVar[bool] = True
    better: ClassVar[Better] = "higher"
    label: ClassVar[str] = "NDCG"
    role: ClassVar[Role] = "relevance"

    ideal: Literal["truth", "list"] = "truth"
    """How many hits the best list has: as many as there are relevant titles (truth), or only as many of
    them as the list has ranks (list), as Rank-GRPO's reference implementation counts."""

    def __call__(self, lists: JudgedLists, k: int) -> Float[Tensor, " N"]:
        """Divide the discounted gain by the best one; 0 / 0 is NaN."""
        discount = 1.0 / torch.log2(torch.arange(k, dtype=torch.float64) + 2.0)  # (k,)
        best = torch.cat([discount.new_zeros(1), discount.cumsum(0)])  # by the number of hits in front
        gain = lists.hits[:, :k].to(torch.float64) @ discount
        relevant = lists.truth_sizes.clamp(max=k)  # (N,)
        if self.ideal == "list":
            room = relevant.minimum(lists.ranked_lengths.to(relevant.dtype))
            relevant = torch.where(room > 0, room, relevant)  # an empty list has gained 0 of something
        return gain / best[relevant.long()]
