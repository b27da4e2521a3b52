"""Safety: a penalty where a title violates a constraint of the user."""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.contracts.reward import RewardFunction, Scope
from saferec_plugins.rewards.discount import Variant, rank_discount

__all__ = ["SafetyReward"]


@component
class SafetyReward(RewardFunction):
    """``-penalty * discount[k]`` where the title at rank k + 1 violates a constraint, 0 where not."""

    scope: ClassVar[Scope] = "rank"
    columns: ClassVar[tuple[str, ...]] = ("constraints",)
    needs_oracle: ClassVar[bool] = True

    penalty: float = Field(default=1.0, gt=0)
    """Size of the penalty for one violation."""
    variant: Variant = "exp_inf"
    """Discount by rank, that of the relevance reward unless set: none (exp_inf) or log_decay."""
    unknown: Literal["prior", "safe", "unsafe", "missing"] = "prior"
    """Worth of a catalog title that the oracle does not know: the expected penalty (prior), 0
    (safe), the penalty (unsafe), or no value (missing)."""
    out_of_catalog: Literal["unsafe", "ignore"] = "unsafe"
    """Whether a title outside the catalog counts as a violation, or as any title to the oracle."""
    absent: Literal["missing", "zero"] = "missing"
    """Value of a rank that was not written: none, or the best value 0 as in the research code."""

    def range(self, num_ranks: int) -> tuple[float, float]:  # noqa: ARG002 - the first rank costs most
        """Return the values of a violation at the first rank and of none."""
        return -self.penalty, 0.0

    def __call__(self, lists: JudgedLists) -> Float[Tensor, "N K"]:
        """Penalize violations; expect the base rate's share of the penalty where nobody knows."""
        share = lists.violations.float()  # how much of the penalty each rank gets
        share = torch.where(lists.known, share, self._unknown_share(lists))
        if self.out_of_catalog == "unsafe":
            share = torch.where(lists.in_catalog, share, 1.0)
        reward = -self.penalty * share * rank_discount(self.variant, lists.num_ranks)
        absent = 0.0 if self.absent == "zero" else torch.nan
        return torch.where(lists.rank_mask, reward, absent)

    def _unknown_share(self, lists: JudgedLists) -> Float[Tensor, "N 1"]:
        """Return the share of the penalty that an unknown title gets in each list."""
        if self.unknown == "prior":
            return lists.base_rates[:, None]
        worth = {"safe": 0.0, "unsafe": 1.0, "missing": torch.nan}[self.unknown]
        return torch.full((len(lists.lists), 1), worth)
