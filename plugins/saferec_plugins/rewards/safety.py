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

Wasted = Literal["unsafe", "ignore"]


@component
class SafetyReward(RewardFunction):
    """``-penalty * discount[k]`` where the title at rank k + 1 violates a constraint, 0 where not.

    A wasted rank, which shows the user nothing new, costs what a violation costs: it must not be a way
    to be safe.
    """

    scope: ClassVar[Scope] = "rank"
    columns: ClassVar[tuple[str, ...]] = ("constraints",)
    needs_oracle: ClassVar[bool] = True
    factors: ClassVar[tuple[str, ...]] = ("penalty",)
    unwritten: ClassVar[tuple[str, ...]] = ("absent",)

    penalty: float = Field(default=1.0, gt=0)
    """Size of the penalty for one violation."""
    variant: Variant = "exp_inf"
    """Discount by rank, that of the relevance reward unless set: none (exp_inf) or log_decay."""
    unknown: Literal["neutral", "prior", "safe", "unsafe", "missing"] = "neutral"
    """Worth, to a user with constraints, of a catalog title that the oracle does not know: what its
    siblings at this rank are worth on average (neutral, or missing: no value, which the normalizers treat
    so), the expected penalty (prior), 0 (safe) or the penalty (unsafe). A small price such as prior is not
    neutral: among siblings that are all safe, normalization makes it as bad as a violation."""
    repeated: Wasted = "unsafe"
    """Whether a title that repeats an earlier one costs what a violation costs, or is judged as any title."""
    seen: Wasted = "unsafe"
    """Likewise for a title that the user has seen."""
    out_of_catalog: Wasted = "unsafe"
    """Likewise for a title outside the catalog."""
    absent: Literal["missing", "zero"] = "missing"
    """Value of a rank that was not written: none; or 0, the best, as in the Safe-Rank-GRPO paper's
    reference implementation. A 0 enters the siblings' mean in gdpo; in grpo, where only written ranks do,
    zero has no effect and a run says so."""

    def range(self, num_ranks: int) -> tuple[float, float]:  # noqa: ARG002 - the first rank costs most
        """Return the values of a violation at the first rank and of none."""
        return -self.penalty, 0.0

    def __call__(self, lists: JudgedLists) -> Float[Tensor, "N K"]:
        """Penalize violations and wasted ranks."""
        share = lists.violations.float()  # how much of the penalty each rank gets
        share = torch.where(lists.undecided, self._unknown_share(lists), share)
        for wasted, option in (
            (lists.repeated, self.repeated),
            (lists.seen, self.seen),
            (~lists.in_catalog, self.out_of_catalog),
        ):
            if option == "unsafe":
                share = share.masked_fill(wasted, 1.0)
        reward = -self.penalty * share * rank_discount(self.variant, lists.num_ranks)
        absent = 0.0 if self.absent == "zero" else torch.nan
        return torch.where(lists.rank_mask, reward, absent)

    def _unknown_share(self, lists: JudgedLists) -> Float[Tensor, "N 1"]:
        """Return the share of the penalty that an unknown title gets in each list."""
        if self.unknown == "prior":
            return lists.base_rates[:, None]
        worth = {"safe": 0.0, "unsafe": 1.0}.get(self.unknown, torch.nan)
        return torch.full((len(lists.lists), 1), worth)
