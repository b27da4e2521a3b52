"""Settings that a run names and that have no effect, so that nobody tunes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from saferec_core.config.generation import RolloutConfig
from saferec_core.config.schema import TrainConfig
from saferec_core.plugins.contracts.normalizer import Normalizer, WeightedRewards
from saferec_core.rl.rewards import ActiveReward
from saferec_core.training.idle_settings import idle_settings

__all__ = ["dead_knobs"]

_GROUP, _PROMPTS, _RANKS = 4, 3, 2
_FACTOR = 3.0


def dead_knobs(config: TrainConfig, rewards: Sequence[ActiveReward], normalizer: Normalizer) -> Iterator[str]:
    """Yield a sentence for each setting that was given a value but has no effect.

    Whether a weight or a penalty has an effect is tried out: the normalizer is called on made-up rewards,
    once with the values of one function scaled up.

    Args:
        config: The run.
        rewards: Its reward functions.
        normalizer: Its normalizer.
    """
    yield from idle_settings(config)
    for reward in rewards:
        bounds = reward.bounds(config.num_ranks)
        if bounds is not None and bounds[0] == bounds[1]:
            yield f"rewards.{reward.name} is always {bounds[0]:g}, so it never prefers one list to another"
    if config.reward_func != TrainConfig.model_fields["reward_func"].default and not any(
        hasattr(reward.function, "variant") and "variant" not in _given(config, reward) for reward in rewards
    ):
        yield "reward_func has no effect: no reward takes its variant from it"
    gains = [reward for reward in rewards if reward.channel != "cost"]
    for position, reward in enumerate(gains):
        yield from _of_reward(config, reward, gains, normalizer, position)
    rounds = config.rollout.max_resample
    if not normalizer.dynamic_sampling and rounds != RolloutConfig.model_fields["max_resample"].default:
        yield (
            f"rollout.max_resample has no effect: the normalizer {config.normalizer.name} asks for no "
            "further prompts"
        )
    if normalizer.dynamic_sampling and not rounds:
        yield "normalizer.dynamic_sampling has no effect, since rollout.max_resample is 0"


def _given(config: TrainConfig, reward: ActiveReward) -> Mapping[str, Any]:
    """Return the options that the run names for a reward."""
    chosen = config.rewards.get(reward.name)
    return {} if chosen is None else chosen.options


def _of_reward(
    config: TrainConfig,
    reward: ActiveReward,
    gains: Sequence[ActiveReward],
    normalizer: Normalizer,
    position: int,
) -> Iterator[str]:
    """Yield what is set for one reward, the one at *position* of *gains*, and has no effect."""
    given = _given(config, reward)
    scaled = [option for option in reward.function.factors if option in given]
    if scaled and not _matters(gains, normalizer, position, weight=False):
        yield (
            f"rewards.{reward.name}.{scaled[0]} has no effect: the normalizer {config.normalizer.name} "
            "divides it out; set the weight instead"
        )
    for option in (name for name in reward.function.unwritten if name in given):
        if not _unwritten_matters(gains, normalizer, position):
            yield (
                f"rewards.{reward.name}.{option} has no effect: the normalizer {config.normalizer.name} "
                "looks at written ranks alone"
            )
    if reward.weight != 1 and not _matters(gains, normalizer, position, weight=True):
        yield (
            f"rewards.{reward.name}.weight has no effect: it is the only reward, and the normalizer "
            f"{config.normalizer.name} divides by its deviation"
        )


def _matters(gains: Sequence[ActiveReward], normalizer: Normalizer, changed: int, *, weight: bool) -> bool:
    """Whether scaling a function's weight, or its values, changes any advantage."""
    plain, factored = (normalizer(_made_up(gains, changed, by, weight=weight)) for by in (1.0, _FACTOR))
    return not torch.allclose(plain.rank, factored.rank, rtol=0.02, atol=0.01) or not torch.allclose(
        plain.list, factored.list, rtol=0.02, atol=0.01
    )


def _unwritten_matters(gains: Sequence[ActiveReward], normalizer: Normalizer, changed: int) -> bool:
    """Tell whether a function's value at a rank that was not written moves any advantage."""
    drawn = _made_up(gains, changed, 1.0, weight=False)
    mask = drawn.rank_mask.clone()
    mask[0, -1] = False
    rank_channel = [reward.channel for reward in gains[:changed]].count("rank")
    without, with_zero = (torch.where(mask, drawn.rank, torch.nan) for _ in "wz")
    with_zero[rank_channel, 0, -1] = 0.0
    plain, changed_by_it = (
        normalizer(replace(drawn, rank=rank, rank_mask=mask)).rank for rank in (without, with_zero)
    )
    return not torch.allclose(plain, changed_by_it, rtol=0.0, atol=1e-4)


def _made_up(gains: Sequence[ActiveReward], changed: int, by: float, *, weight: bool) -> WeightedRewards:
    """Draw rewards in which every function differs among the siblings; one of them times *by*."""
    generator = torch.Generator().manual_seed(0)
    rows = _GROUP * _PROMPTS
    values: dict[str, list[torch.Tensor]] = {"rank": [], "list": []}
    weights: dict[str, list[float]] = {"rank": [], "list": []}
    for position, reward in enumerate(gains):
        shape = (rows, _RANKS) if reward.channel == "rank" else (rows,)
        factor = by if position == changed else 1.0
        drawn = torch.randn(shape, generator=generator)
        values[reward.channel].append(drawn if weight else drawn * factor)
        weights[reward.channel].append(reward.weight * factor if weight else reward.weight)
    return WeightedRewards(
        rank=torch.stack(values["rank"]) if values["rank"] else torch.zeros(0, rows, _RANKS),
        list=torch.stack(values["list"]) if values["list"] else torch.zeros(0, rows),
        rank_weights=torch.tensor(weights["rank"]),
        list_weights=torch.tensor(weights["list"]),
        rank_mask=torch.ones(rows, _RANKS, dtype=torch.bool),
        group_size=_GROUP,
    )
