"""From rewards to advantages: the contract of a normalizer and the statistics it is made of.

Every function here is pure. Rows are prompt-major: the G siblings of a prompt stand next to each
other. NaN means "no value" and takes part in no mean, deviation or sum.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["EPS", "Advantages", "Invariance", "Normalizer", "WeightedRewards", "standardize"]

Invariance = Literal["shift", "scale"]

EPS = 1e-4
"""Added to every standard deviation before dividing, as TRL and the research code do."""


@dataclass(frozen=True)
class WeightedRewards:
    """The rewards of a generation batch of N = B * G completions, and how much each function weighs."""

    rank: Float[Tensor, "F N K"]
    """Rewards of scope ``"rank"``; NaN where a rank has no value."""
    list: Float[Tensor, "L N"]
    """Rewards of scope ``"list"``, one value a completion."""
    rank_weights: Float[Tensor, " F"]
    list_weights: Float[Tensor, " L"]
    rank_mask: Bool[Tensor, "N K"]
    """Which ranks were written."""
    group_size: int
    """G, completions per prompt."""

    @property
    def num_functions(self) -> int:
        """How many reward functions there are, of either scope."""
        return self.rank.shape[0] + self.list.shape[0]


@dataclass(frozen=True)
class Advantages:
    """How much better than its siblings each part of a completion did; 0 where nothing can be said."""

    rank: Float[Tensor, "N K"]
    """For the tokens of a rank; 0 where the rank was not written."""
    list: Float[Tensor, " N"]
    """For the tokens of no rank, the end of the completion included; on the scale of ``rank``."""


class Normalizer(ABC):
    """A pure function from rewards to advantages."""

    invariances: ClassVar[frozenset[Invariance]] = frozenset()
    """Changes to the values of one reward, the same for all siblings of a prompt, that leave every
    advantage as it is: ``"shift"``, a constant that is added; ``"scale"``, a positive factor (up to
    ``EPS``). `saferec_core.testing.check_normalizer` checks them."""

    @abstractmethod
    def __call__(self, rewards: WeightedRewards) -> Advantages:
        """Compute the advantages of the whole generation batch, all processes together."""


def standardize(values: Float[Tensor, ...], *, dim: int) -> Float[Tensor, ...]:
    """Subtract the mean along *dim* and divide by the standard deviation plus ``EPS``.

    The deviation has correction 1. A cell whose values are all exactly equal, or that has fewer
    than two values, gives exactly 0; NaN stays NaN.
    """
    centred = values - values.nanmean(dim, keepdim=True)
    scaled = centred / (deviation(values, dim=dim) + EPS)
    flat = ~varies(values, dim=dim)
    return torch.where(flat & ~values.isnan(), torch.zeros_like(values), scaled)


def deviation(values: Float[Tensor, ...], *, dim: int) -> Float[Tensor, ...]:
    """Return the standard deviation (correction 1) along *dim*, kept as an axis of length 1.

    0 where fewer than two values are there.
    """
    count = (~values.isnan()).sum(dim, keepdim=True)
    squares = (values - values.nanmean(dim, keepdim=True)).square().nansum(dim, keepdim=True)
    return (squares / (count - 1).clamp(min=1)).sqrt()


def varies(values: Float[Tensor, ...], *, dim: int) -> Bool[Tensor, ...]:
    """Tell along *dim* (kept, length 1) whether any two values differ, compared exactly."""
    there = ~values.isnan()
    low = values.masked_fill(~there, torch.inf).amin(dim, keepdim=True)
    high = values.masked_fill(~there, -torch.inf).amax(dim, keepdim=True)
    return low < high
