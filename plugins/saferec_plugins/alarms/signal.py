"""Alarms about the signal: what rewards and advantages can still teach."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.alarm import Alarm, LogRow, recent

__all__ = ["ConstantReward", "DrownedReward", "LoneReward", "NoAdvantage", "SaturatedReward"]


def _by_reward(log: Sequence[LogRow], prefix: str) -> dict[str, float]:
    """Return the recent mean of each figure whose name begins with *prefix*, by what follows it."""
    names = [name for name in log[-1] if name.startswith(prefix)]
    means = {name.removeprefix(prefix): recent(log, name) for name in names}
    return {name: mean for name, mean in means.items() if mean is not None}


@component
class NoAdvantage(Alarm):
    """Nearly all advantages are 0: the completions of a prompt earn the same, and no gradient is left."""

    figures: ClassVar[tuple[str, ...]] = ("advantage_zero",)

    most: float = Field(default=0.98, ge=0, le=1)
    """Largest share of advantages that may be 0."""

    def __call__(self, log: Sequence[LogRow]) -> str | None:
        """Compare the recent share with the largest allowed."""
        share = recent(log, "advantage_zero")
        if share is None or share <= self.most:
            return None
        return (
            f"{share:.0%} of the advantages are 0: the completions of a prompt earn the same, so that "
            "nothing is learned. Sample more differently (--temperature, --num-generations), or add a reward "
            "that tells these lists apart"
        )


@component
class ConstantReward(Alarm):
    """A reward is the same for all completions of nearly every prompt, although it could be better."""

    figures: ClassVar[tuple[str, ...]] = ("reward_varies/",)

    least: float = Field(default=0.02, ge=0, le=1)
    """Smallest share of prompts among whose completions a reward has to differ."""
    best: float = Field(default=0.9, ge=0, le=1)
    """Share of values at the best one from which a constant reward is saturated, which is another alarm."""

    def __call__(self, log: Sequence[LogRow]) -> str | None:
        """Name every reward that does not vary."""
        at_best = _by_reward(log, "reward_best/")
        constant = [
            name
            for name, share in _by_reward(log, "reward_varies/").items()
            if share < self.least and at_best.get(name, 0.0) < self.best
        ]
        if not constant:
            return None
        return (
            f"{_named(constant)} the same for all completions of at least {1 - self.least:.0%} of the "
            "prompts, and could be better: it teaches nothing. Check what it needs (records, catalog, "
            "oracle, its options), or raise --temperature so that some completions earn it"
        )


@component
class SaturatedReward(Alarm):
    """A reward is at its best nearly everywhere: it has done its work, or is too easy."""

    stops: ClassVar[bool] = False
    figures: ClassVar[tuple[str, ...]] = ("reward_best/",)

    most: float = Field(default=0.995, ge=0, le=1)
    """Largest share of values that may be the best one."""

    def __call__(self, log: Sequence[LogRow]) -> str | None:
        """Name every reward that cannot rise any more."""
        saturated = [name for name, share in _by_reward(log, "reward_best/").items() if share > self.most]
        if not saturated:
            return None
        return (
            f"{_named(saturated)} at the best value in more than {self.most:.1%} of all cases: there is "
            "nothing left to learn from it. If that came at once, it is too easy (such as safety where the "
            "policy violates nothing); otherwise training can end, or its weight go to another reward"
        )


@component
class LoneReward(Alarm):
    """One of several rewards supplies nearly all of the advantages' variance; the others are not learned."""

    figures: ClassVar[tuple[str, ...]] = ("advantage_share/",)

    most: float = Field(default=0.95, ge=0, le=1)
    """Largest share of the variance that one reward may supply."""

    def __call__(self, log: Sequence[LogRow]) -> str | None:
        """Name the reward that is alone."""
        for name, share in _by_reward(log, "advantage_share/").items():
            if share > self.most:
                return (
                    f"the reward {name} supplies {share:.0%} of the variance of the advantages: the other "
                    "rewards are hardly learned. Raise their weights or lower its own; where the normalizer "
                    "is grpo, --normalizer gdpo gives each reward the same deviation before it is weighted"
                )
        return None


@component
class DrownedReward(Alarm):
    """A reward supplies far less of the advantages' variance than its weight asks for, and could be better.

    A reward that differs among the siblings of few prompts, or at few of their ranks, such as hits on real
    data, is outvoted by one that differs in every list.
    """

    stops: ClassVar[bool] = False
    figures: ClassVar[tuple[str, ...]] = ("advantage_share/",)

    least: float = Field(default=0.5, ge=0, le=1)
    """Smallest share of the variance that a reward has to supply, times its part of all weights."""
    best: float = Field(default=0.7, ge=0, le=1)
    """Share of values at the best one from which a reward needs no more."""
    weights: dict[str, float] = Field(default_factory=dict)
    """Weight of each reward, 1 where none is given; by default those of the run."""

    def __call__(self, log: Sequence[LogRow]) -> str | None:
        """Name the reward that falls shortest of its part."""
        shares, at_best = _by_reward(log, "advantage_share/"), _by_reward(log, "reward_best/")
        if not any(shares.values()):  # nothing varies: see NoAdvantage
            return None
        weights = {name: self.weights.get(name, 1.0) for name in shares}
        parts = {name: weight / sum(weights.values()) for name, weight in weights.items() if weight}
        drowned = {
            name: shares[name] / part
            for name, part in parts.items()
            if part < 1 and shares[name] < self.least * part and at_best.get(name, 0.0) < self.best
        }
        if not drowned:
            return None
        name = min(drowned, key=lambda reward: drowned[reward])
        enough = _enough(weights[name], parts[name], shares[name])
        return (
            f"the reward {name} supplies {shares[name]:.0%} of the variance of the advantages, but has "
            f"{parts[name]:.0%} of the weight: it differs among few completions or ranks, so that the other "
            f"rewards decide what is learned. Raise its weight{enough}, hold the policy nearer its start "
            "(--kl-beta), or sample more completions of a prompt (--num-generations)"
        )


def _enough(weight: float, part: float, share: float) -> str:
    """Name the weight at which a reward would supply its part, the others being as they are.

    Variance grows with the square of a weight.
    """
    if share <= 0:
        return ""
    return f" (to about {weight * math.sqrt(part / (1 - part) * (1 - share) / share):.1f})"


def _named(rewards: Sequence[str]) -> str:
    """Write names as the subject of a sentence, with its verb."""
    if len(rewards) == 1:
        return f"the reward {rewards[0]} is"
    return f"the rewards {', '.join(rewards[:-1])} and {rewards[-1]} are each"
