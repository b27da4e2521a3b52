"""Call reward functions and check what they return."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from saferec_core.errors import RewardError
from saferec_core.plugins.calls import calling, named, undisturbed
from saferec_core.plugins.contracts.judged_lists import JudgedLists, unchanged
from saferec_core.plugins.contracts.reward import RewardFunction, Scope
from saferec_core.plugins.values import as_values
from saferec_core.runs.heartbeat import phase

__all__ = ["ActiveReward", "Channel", "RewardValues", "score"]

Channel = Literal["rank", "list", "cost"]
"""What a normalizer is given by rank and by list, and what is charged after it."""


@dataclass(frozen=True)
class ActiveReward:
    """A reward function of a run, under its name and with its weight."""

    name: str
    function: RewardFunction
    weight: float

    @property
    def scope(self) -> Scope:
        """What the reward's values belong to."""
        return self.function.scope

    @property
    def channel(self) -> Channel:
        """How its values reach the advantages."""
        return "cost" if self.function.direction == "cost" else self.scope

    def span(self, num_ranks: int) -> float:
        """Return the largest minus the smallest value that it declares; 0 if it does not declare them."""
        bounds = self.function.range(num_ranks)
        return 0.0 if bounds is None else bounds[1] - bounds[0]


@dataclass(frozen=True)
class RewardValues:
    """The unweighted rewards of N completions, functions of each channel in the order of the run."""

    rank: Float[Tensor, "F N K"]
    list: Float[Tensor, "L N"]
    cost: Float[Tensor, "C N K"]

    def by_function(self, rewards: Sequence[ActiveReward]) -> Sequence[Tensor]:
        """Return each function's values, (N, K) or (N,), in the order of the run."""
        of_channel = {"rank": iter(self.rank), "list": iter(self.list), "cost": iter(self.cost)}
        return [next(of_channel[reward.channel]) for reward in rewards]


def score(rewards: Sequence[ActiveReward], lists: JudgedLists) -> RewardValues:
    """Call every reward function once and check what it returns.

    Raises:
        RewardError: A function raised, returned another shape than its scope promises, or an
            infinite value. A failure never becomes a 0.
        PluginError: A function changed the lists, which others share.
    """
    shape = tuple(lists.rank_mask.shape)
    values: dict[Channel, list[Tensor]] = {"rank": [], "list": [], "cost": []}
    for reward in rewards:
        wanted = shape if reward.scope == "rank" else shape[:1]
        values[reward.channel].append(_checked(reward, lists, wanted))
    empty = torch.zeros((0, *shape))
    return RewardValues(
        rank=torch.stack(values["rank"]) if values["rank"] else empty,
        list=torch.stack(values["list"]) if values["list"] else empty[:, :, 0],
        cost=torch.stack(values["cost"]) if values["cost"] else empty,
    )


def _checked(reward: ActiveReward, lists: JudgedLists, wanted: tuple[int, ...]) -> Tensor:
    """Call one reward function; refuse what breaks its contract."""
    what = named("reward", reward.function, reward.name)
    with (
        phase(f"reward {reward.name}"),
        unchanged(lists, what),
        undisturbed(what),
        calling(what, error=RewardError),
    ):
        value = reward.function(lists)
    axes = "(N, K)" if reward.scope == "rank" else "(N,)"
    return as_values(value, what, wanted, axes, error=RewardError)
