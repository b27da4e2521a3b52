"""Fresh: a price for ranks that show the user nothing new."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.contracts.reward import Direction, RewardFunction, Scope

__all__ = ["FreshReward"]


@component
class FreshReward(RewardFunction):
    """-1 where the title repeats an earlier one, was seen by the user or is outside the catalog, else 0.

    It is a cost: charged after normalization, so that its weight is not divided out, and compared with
    all lists of the generation batch, so that a group whose lists all waste a rank still learns.
    """

    scope: ClassVar[Scope] = "rank"
    direction: ClassVar[Direction] = "cost"

    repeated: bool = True
    """Charge for a title that repeats an earlier one."""
    seen: bool = True
    """Charge for a title that the user has seen."""
    out_of_catalog: bool = True
    """Charge for a title outside the catalog."""

    def range(self, num_ranks: int) -> tuple[float, float]:  # noqa: ARG002 - the same for every K
        """Return the values of a wasted rank and of one that is not; the same if nothing is charged for."""
        return (-1.0 if self.repeated or self.seen or self.out_of_catalog else 0.0), 0.0

    def __call__(self, lists: JudgedLists) -> Float[Tensor, "N K"]:
        """Mark wasted ranks; a rank that was not written has no value."""
        wasted = torch.zeros_like(lists.rank_mask)
        if self.repeated:
            wasted = wasted | lists.repeated
        if self.seen:
            wasted = wasted | lists.seen
        if self.out_of_catalog:
            wasted = wasted | ~lists.in_catalog
        return torch.where(lists.rank_mask, -wasted.float(), torch.nan)
