"""From rewards to advantages: normalize the gains, then charge the costs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from saferec_core.errors import PluginError
from saferec_core.plugins.calls import calling, named, overseen, undisturbed
from saferec_core.plugins.contracts.normalizer import (
    Advantages,
    Costs,
    Normalizer,
    WeightedRewards,
    charge,
)
from saferec_core.plugins.sealing import fingerprint
from saferec_core.plugins.values import as_values
from saferec_core.rl.rewards import ActiveReward, Channel, RewardValues

__all__ = ["credit", "uninformative_prompts"]


def credit(
    rewards: Sequence[ActiveReward],
    values: RewardValues,
    normalizer: Normalizer,
    rank_mask: Bool[Tensor, "N K"],
    group_size: int,
) -> Advantages:
    """Compute the advantages of a whole generation batch, all processes together.

    Args:
        rewards: The reward functions of the run, in order.
        values: What they returned for the N completions, siblings adjacent.
        normalizer: Turns rewards that are not costs into advantages.
        rank_mask: Which ranks were written.
        group_size: G, completions per prompt.

    Raises:
        PluginError: The normalizer broke its contract.
    """
    with overseen():
        advantages = _normalized(normalizer, _weighted(rewards, values, rank_mask, group_size))
    if not len(values.cost):
        return advantages
    return charge(advantages, Costs(values.cost, _weights(rewards, "cost")), rank_mask)


def uninformative_prompts(
    rewards: Sequence[ActiveReward],
    values: RewardValues,
    normalizer: Normalizer,
    rank_mask: Bool[Tensor, "N K"],
    group_size: int,
) -> Bool[Tensor, " B"]:
    """Ask the normalizer which prompts of a whole generation batch to replace by further ones.

    The arguments are those of :func:`credit`. Costs are none of the normalizer's: a prompt at which one is
    charged teaches something, and is kept.

    Raises:
        PluginError: The normalizer broke its contract.
    """
    what = named("normalizer", normalizer)
    weighted = _weighted(rewards, values, rank_mask, group_size)
    before = fingerprint(weighted)
    with undisturbed(what), calling(what, doing=" to name uninformative prompts"):
        answer = normalizer.uninformative(weighted)
    if fingerprint(weighted) != before:
        raise PluginError(f"{what} changed the rewards that it was given; it must compute with copies")
    prompts = (len(rank_mask) // group_size,)
    if not isinstance(answer, Tensor) or answer.dtype != torch.bool or tuple(answer.shape) != prompts:
        came = (
            f"{answer.dtype} {tuple(answer.shape)}" if isinstance(answer, Tensor) else type(answer).__name__
        )
        raise PluginError(
            f"{what}: uninformative must return a bool tensor (B,) = {prompts}, but returned {came}"
        )
    charged = (values.cost.nan_to_num(0.0) != 0).any(2).any(0).view(-1, group_size).any(1)
    return answer.cpu() & ~charged


def _weighted(
    rewards: Sequence[ActiveReward], values: RewardValues, rank_mask: Bool[Tensor, "N K"], group_size: int
) -> WeightedRewards:
    """Put together what a normalizer is given."""
    return WeightedRewards(
        rank=values.rank,
        list=values.list,
        rank_weights=_weights(rewards, "rank"),
        list_weights=_weights(rewards, "list"),
        rank_mask=rank_mask,
        group_size=group_size,
        rank_spans=_spans(rewards, "rank", rank_mask.shape[1]),
        list_spans=_spans(rewards, "list", rank_mask.shape[1]),
    )


def _normalized(normalizer: Normalizer, rewards: WeightedRewards) -> Advantages:
    """Call the normalizer and check what it returns.

    Raises:
        PluginError: It failed, changed the rewards, or returned something else than finite advantages of
            the right shapes; one NaN would make every weight of the policy NaN.
    """
    what = named("normalizer", normalizer)
    before = fingerprint(rewards)
    with undisturbed(what), calling(what):
        advantages = normalizer(rewards)
    if fingerprint(rewards) != before:
        raise PluginError(f"{what} changed the rewards that it was given; it must compute with copies")
    if not isinstance(advantages, Advantages):
        raise PluginError(f"{what} must return Advantages, but returned {type(advantages).__name__}")
    completions, ranks = rewards.rank_mask.shape
    return Advantages(
        rank=as_values(
            advantages.rank, f"{what}, rank", (completions, ranks), "(N, K)", integers=False, nan=False
        ),
        list=as_values(advantages.list, f"{what}, list", (completions,), "(N,)", integers=False, nan=False),
    )


def _weights(rewards: Sequence[ActiveReward], channel: Channel) -> Float[Tensor, " F"]:
    return torch.tensor([float(reward.weight) for reward in rewards if reward.channel == channel])


def _spans(rewards: Sequence[ActiveReward], channel: Channel, num_ranks: int) -> Float[Tensor, " F"]:
    return torch.tensor([reward.span(num_ranks) for reward in rewards if reward.channel == channel])
