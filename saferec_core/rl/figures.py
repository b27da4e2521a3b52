"""The figures that describe a generation batch, under their names in ``metrics.jsonl``.

All are about the completions of the whole batch, which several processes may share: the mean of each
process's shares is not the share of all ranks, and what all processes name alike is still one title.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import NamedTuple, Self

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.contracts.normalizer import Advantages, Normalizer, varies
from saferec_core.rl.credit import credit
from saferec_core.rl.rewards import ActiveReward, RewardValues

__all__ = ["CreditedBatch", "ListedRanks", "figures_of_lists", "means_by_reward"]


def means_by_reward(rewards: Sequence[ActiveReward], values: RewardValues) -> Float[Tensor, "F N"]:
    """Return each reward's mean over the ranks of a completion, in the order of the run."""
    by_reward = values.by_function(rewards)
    return torch.stack([value.nanmean(1) if value.dim() > 1 else value for value in by_reward])


class ListedRanks(NamedTuple):
    """What is counted of N lists: tensors with a row for each, which processes can put together."""

    lengths: Float[Tensor, " N"]
    rank_mask: Bool[Tensor, "N K"]
    catalog_indices: Int[Tensor, "N K"]
    repeated: Bool[Tensor, "N K"]
    seen: Bool[Tensor, "N K"]
    wasted: Bool[Tensor, "N K"]
    violations: Bool[Tensor, "N K"]
    """False everywhere without an oracle, as is ``known``."""
    known: Bool[Tensor, "N K"]

    @classmethod
    def of(cls, lists: JudgedLists) -> Self:
        """Return what is counted of some lists."""
        nothing = torch.zeros_like(lists.rank_mask)
        judged = lists.judge.oracle is not None
        return cls(
            lengths=lists.lengths,
            rank_mask=lists.rank_mask,
            catalog_indices=lists.catalog_indices,
            repeated=lists.repeated,
            seen=lists.seen,
            wasted=lists.wasted,
            violations=lists.violations if judged else nothing,
            known=lists.known if judged else nothing,
        )


def figures_of_lists(
    rewards: Sequence[ActiveReward], values: RewardValues, ranks: ListedRanks, *, judged: bool
) -> dict[str, float]:
    """Return mean rewards and what the lists hold; a figure without a value is left out.

    Args:
        rewards: The reward functions of the run, in order.
        values: What they returned for the N lists.
        ranks: What is counted of the lists.
        judged: Whether there is an oracle.
    """
    means = means_by_reward(rewards, values).nanmean(1).tolist()
    figures = {f"reward/{reward.name}": mean for reward, mean in zip(rewards, means, strict=True)}
    written = ranks.rank_mask.sum()  # 0: nothing was written, and a share of nothing has no value
    in_catalog = ranks.catalog_indices >= 0
    figures["list_length"] = ranks.lengths.mean().item()
    figures["out_of_catalog"] = ((~in_catalog & ranks.rank_mask).sum() / written).item()
    figures["repeated"] = (ranks.repeated.sum() / written).item()
    figures["seen"] = (ranks.seen.sum() / written).item()
    figures["wasted"] = (ranks.wasted.sum() / written).item()
    figures["distinct_titles"] = (len(set(ranks.catalog_indices[in_catalog].tolist())) / written).item()
    if judged:
        figures["violation_rate"] = (ranks.violations.sum() / written).item()
        figures["oracle_coverage"] = ((ranks.known & in_catalog).sum() / in_catalog.sum()).item()
    return {name: value for name, value in figures.items() if value == value}  # NaN: no value


@dataclass(frozen=True)
class CreditedBatch:
    """A whole generation batch of N completions, siblings adjacent, with its advantages."""

    rewards: Sequence[ActiveReward]
    """The reward functions of the run, in order."""
    values: RewardValues
    """What they returned."""
    normalizer: Normalizer
    rank_mask: Bool[Tensor, "N K"]
    """Which ranks were written."""
    group_size: int
    """G, completions per prompt."""
    advantages: Advantages
    """What was credited, costs and limits included."""

    def figures(self) -> dict[str, float]:
        """Return what is left to learn from; a figure without a value is left out."""
        credited = _written(self.advantages, self.rank_mask)
        figures = {"advantage_zero": (credited == 0).double().mean().item()}
        for reward, value in zip(self.rewards, self.values.by_function(self.rewards), strict=True):
            groups = value.reshape(-1, self.group_size, *value.shape[1:])  # (B, G, K) or (B, G)
            differs = varies(groups, dim=1).flatten(1).any(1)  # (B,)
            figures[f"reward_varies/{reward.name}"] = differs.double().mean().item()
            bounds = reward.bounds(self.rank_mask.shape[1])
            if bounds is not None:
                best = torch.isclose(value, torch.tensor(bounds[1]))[~value.isnan()]
                figures[f"reward_best/{reward.name}"] = best.double().mean().item()
        if len(self.rewards) > 1:
            figures |= {f"advantage_share/{name}": share for name, share in self.shares_of_variance().items()}
        return {name: value for name, value in figures.items() if value == value}

    def shares_of_variance(self) -> dict[str, float]:
        """Return, by reward, how much of the advantages' variance it would supply alone.

        That is the squared correlation of the advantages (of written ranks and of whole lists) with those
        that the run would have credited had it only this reward. The shares of rewards that are uncorrelated
        add up to 1. 0 where either does not vary.
        """
        credited = _written(self.advantages, self.rank_mask)
        empty = RewardValues(self.values.rank[:0], self.values.list[:0], self.values.cost[:0])
        shares = {}
        for reward, value in zip(self.rewards, self.values.by_function(self.rewards), strict=True):
            only = replace(empty, **{reward.channel: value[None]})
            # A normalizer with a state of its own must not learn from a batch twice.
            alone = credit([reward], only, deepcopy(self.normalizer), self.rank_mask, self.group_size)
            shares[reward.name] = _squared_correlation(credited, _written(alone, self.rank_mask))
        return shares


def _written(advantages: Advantages, rank_mask: Bool[Tensor, "N K"]) -> Float[Tensor, " C"]:
    """Return the advantages of all written ranks, then those of all lists."""
    return torch.cat([advantages.rank[rank_mask], advantages.list]).double()


def _squared_correlation(first: Float[Tensor, " C"], second: Float[Tensor, " C"]) -> float:
    first, second = first - first.mean(), second - second.mean()
    scale = (first.square().sum() * second.square().sum()).item()
    return (first @ second).square().item() / scale if scale > 0 else 0.0
