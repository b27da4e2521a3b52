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

__all__ = [
    "EPS",
    "FLATNESS",
    "Advantages",
    "Costs",
    "Invariance",
    "Normalizer",
    "WeightedRewards",
    "charge",
    "deviation",
    "impute",
    "standardize",
    "varies",
]

Invariance = Literal["shift", "scale"]

EPS = 1e-4
"""Added to every standard deviation before dividing, as TRL and the Safe-Rank-GRPO paper's reference
implementation do."""


FLATNESS = 1e-3
"""A cell whose deviation is below this share of the reward's range is flat: its values are alike."""


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
    rank_spans: Float[Tensor, " F"] | None = None
    """Largest minus smallest value that each rank reward declares; 0 if it declares none. None: all 0."""
    list_spans: Float[Tensor, " L"] | None = None
    """Likewise for the list rewards."""

    @property
    def num_functions(self) -> int:
        """How many reward functions there are, of either scope."""
        return self.rank.shape[0] + self.list.shape[0]

    @property
    def rank_floors(self) -> Float[Tensor, " F"]:
        """The deviation below which a rank reward's cell is flat."""
        spans = self.rank_spans
        return self.rank.new_zeros(len(self.rank)) if spans is None else FLATNESS * spans

    @property
    def list_floors(self) -> Float[Tensor, " L"]:
        """The deviation below which a list reward's cell is flat."""
        spans = self.list_spans
        return self.list.new_zeros(len(self.list)) if spans is None else FLATNESS * spans


@dataclass(frozen=True)
class Advantages:
    """How much better than its siblings each part of a completion did; 0 where nothing is known."""

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
    dynamic_sampling: bool = False
    """Whether it asks for further prompts in place of those that `uninformative` names; by default never.
    A normalizer that leaves this to the run declares an option of this name."""

    @abstractmethod
    def __call__(self, rewards: WeightedRewards) -> Advantages:
        """Compute the advantages of the whole generation batch, all processes together."""

    def uninformative(self, rewards: WeightedRewards) -> Bool[Tensor, " B"]:
        """Tell which of the B prompts to replace by further ones, before advantages are computed.

        Asked only with `dynamic_sampling`, of the whole generation batch and again of each batch with further
        prompts, at most ``rollout.max_resample`` times. A prompt at which a cost or a limit is charged is
        kept whatever the answer. By default, as in DAPO (arXiv 2503.14476), those whose siblings all earn the
        same: no reward with a weight differs at any rank.
        """
        return ~(
            _differ(rewards.rank, rewards.rank_weights, rewards.rank_floors, rewards.group_size)
            | _differ(rewards.list[..., None], rewards.list_weights, rewards.list_floors, rewards.group_size)
        )


def _differ(
    values: Float[Tensor, "F N K"], weights: Float[Tensor, " F"], floors: Float[Tensor, " F"], size: int
) -> Bool[Tensor, " B"]:
    """Tell for each prompt whether any function with a weight differs among the siblings, at any rank."""
    functions, rows, ranks = values.shape
    cells = values.reshape(functions, rows // size, size, ranks)
    differing = varies(cells, dim=2, floor=floors[:, None, None, None])[:, :, 0]  # (F, B, K)
    return (differing & (weights != 0)[:, None, None]).any(2).any(0)


@dataclass(frozen=True)
class Costs:
    """Prices that are charged after normalization, so that nothing divides their multipliers out."""

    values: Float[Tensor, "C N K"]
    """Minus the price of each rank: 0 or below; NaN where a rank has no price."""
    multipliers: Float[Tensor, " C"]


def charge(advantages: Advantages, costs: Costs, rank_mask: Bool[Tensor, "N K"]) -> Advantages:
    """Add ``multiplier * (cost - mean)`` to the advantage of every written rank.

    The mean runs over all completions of the generation batch that wrote the rank, not over the
    siblings: where all siblings violate or waste a rank, a mean over them would leave nothing to learn.
    It has to be centered, or shorter lists would be cheaper. The list part is unchanged.
    """
    written = torch.where(rank_mask, costs.values, torch.nan)  # (C, N, K)
    centered = (written - written.nanmean(1, keepdim=True)).nan_to_num(0.0)
    charged = torch.einsum("c,cnk->nk", costs.multipliers, centered)
    return Advantages(rank=advantages.rank + charged, list=advantages.list)


def impute(values: Float[Tensor, ...], *, dim: int) -> Float[Tensor, ...]:
    """Put the mean along *dim* in place of what has no value; 0 where nothing has one.

    What is imputed is then neither above nor below its siblings.
    """
    means = values.nanmean(dim, keepdim=True).nan_to_num(0.0)
    return torch.where(values.isnan(), means, values)


def standardize(
    values: Float[Tensor, ...], *, dim: int, floor: Float[Tensor, ...] | float = 0.0
) -> Float[Tensor, ...]:
    """Subtract the mean along *dim* and divide by the standard deviation plus ``EPS``.

    The deviation has correction 1. A flat cell (see :func:`varies`) gives exactly 0; NaN stays NaN.
    """
    centered = values - values.nanmean(dim, keepdim=True)
    scaled = centered / (deviation(values, dim=dim) + EPS)
    flat = ~varies(values, dim=dim, floor=floor)
    return torch.where(flat & ~values.isnan(), torch.zeros_like(values), scaled)


def deviation(values: Float[Tensor, ...], *, dim: int) -> Float[Tensor, ...]:
    """Return the standard deviation (correction 1) along *dim*, kept as an axis of length 1.

    0 where fewer than two values are there.
    """
    count = (~values.isnan()).sum(dim, keepdim=True)
    squares = (values - values.nanmean(dim, keepdim=True)).square().nansum(dim, keepdim=True)
    return (squares / (count - 1).clamp(min=1)).sqrt()


def varies(
    values: Float[Tensor, ...], *, dim: int, floor: Float[Tensor, ...] | float = 0.0
) -> Bool[Tensor, ...]:
    """Tell along *dim* (kept, length 1) whether the values differ, and by a deviation of at least *floor*.

    That any two differ is compared exactly: the deviation of equal values may be a small float.
    """
    there = ~values.isnan()
    low = values.masked_fill(~there, torch.inf).amin(dim, keepdim=True)
    high = values.masked_fill(~there, -torch.inf).amax(dim, keepdim=True)
    return (low < high) & (deviation(values, dim=dim) >= floor)
