"""A reward for titles that the policy has not named lately."""

from collections import defaultdict
from functools import cached_property
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor

from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.contracts.reward import RewardFunction, Scope

__all__ = ["DiversityReward"]

_FORGOTTEN = 0.01
"""A count below this is dropped, so that the memory does not grow with the catalog."""


@component
class DiversityReward(RewardFunction):
    """``1 / sqrt(1 + c)`` at a rank whose title was named c times in earlier batches, 0 where it is wasted.

    c decays by half every *halflife* batches. A title that is outside the catalog, repeats an earlier rank or
    was seen by the user is wasted.
    """

    scope: ClassVar[Scope] = "rank"
    deterministic: ClassVar[bool] = False  # it depends on earlier batches

    halflife: float = Field(default=20.0, gt=0)
    """Batches after which half of a count is forgotten."""

    def range(self, num_ranks: int) -> tuple[float, float]:
        """Return the value of a wasted rank and of a title that nobody has named."""
        del num_ranks
        return 0.0, 1.0

    def __call__(self, lists: JudgedLists) -> Tensor:
        """Return (N, K), then count the batch; NaN where a rank was not written."""
        indices = lists.catalog_indices
        counts = torch.tensor([[self._counts.get(index, 0.0) for index in row] for row in indices.tolist()])
        reward = (1 + counts.view(indices.shape)).rsqrt().masked_fill(lists.wasted, 0.0)
        self._count(indices[lists.in_catalog].tolist())
        return torch.where(lists.rank_mask, reward, torch.nan)

    def state_dict(self) -> dict[str, float]:
        """Return the counts, which a checkpoint keeps."""
        return {str(index): count for index, count in self._counts.items()}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Go on from the counts of a checkpoint."""
        self._counts.clear()
        self._counts.update((int(index), count) for index, count in state.items())

    def _count(self, indices: list[int]) -> None:
        decay = 0.5 ** (1 / self.halflife)
        for index in list(self._counts):
            self._counts[index] *= decay
            if self._counts[index] < _FORGOTTEN:
                del self._counts[index]
        for index in indices:
            self._counts[index] += 1.0

    @cached_property
    def _counts(self) -> defaultdict[int, float]:
        """How often each title of the catalog was named, later batches counting more."""
        return defaultdict(float)
