"""Relevance: what a rank adds to the hits of the list."""

from __future__ import annotations

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.contracts.reward import RewardFunction, Scope
from saferec_plugins.rewards.discount import Variant, log_discount

__all__ = ["RelevanceReward"]


@component
class RelevanceReward(RewardFunction):
    """``exp_inf``: ``hit[k]``. ``log_decay``: ``sum over j >= k of hit[j] / log2(j + 2)``.

    Rank-GRPO (arXiv 2510.20150). A rank that was not written is a miss: 0.
    """

    scope: ClassVar[Scope] = "rank"
    columns: ClassVar[tuple[str, ...]] = ("groundtruth_with_release_year",)

    variant: Variant = "exp_inf"
    """exp_inf credits each hit to its own rank; log_decay credits a rank with the DCG from there on."""

    @property
    def local(self) -> bool:
        """Whether hits of later ranks add nothing to a rank's value."""
        return self.variant == "exp_inf"

    def range(self, num_ranks: int) -> tuple[float, float]:
        """Return the values of no hit and of nothing but hits."""
        return 0.0, 1.0 if self.variant == "exp_inf" else float(log_discount(num_ranks).sum())

    def __call__(self, lists: JudgedLists) -> Float[Tensor, "N K"]:
        """Reward hits."""
        hits = lists.hits.float()
        if self.variant == "exp_inf":
            return hits
        gains = hits * log_discount(lists.num_ranks)
        return gains.flip(1).cumsum(1).flip(1)
