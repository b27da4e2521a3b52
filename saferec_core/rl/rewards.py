"""Call reward functions and check what they return."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from saferec_core.config.choices import RewardCalls
from saferec_core.errors import PluginError
from saferec_core.plugins.calls import named
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.contracts.reward import RewardFunction, Scope
from saferec_core.rl.reward_calls import RewardCaller
from saferec_core.rl.reward_range import declared_range
from saferec_core.runs.heartbeat import phase

__all__ = ["ActiveReward", "Channel", "RewardValues", "score"]

Channel = Literal["rank", "list", "cost"]
"""What a normalizer is given by rank and by list, and what is charged after it."""


_CALLS = RewardCalls()


@dataclass(frozen=True)
class ActiveReward:
    """A reward function of a run, under its name and with its weight."""

    name: str
    function: RewardFunction
    weight: float
    calls: RewardCalls = _CALLS
    """Time-out, what happens on an error, and whether values are kept."""

    @cached_property
    def caller(self) -> RewardCaller:
        """What calls the function."""
        return RewardCaller(named("reward", self.function, self.name), self.function, self.calls)

    @property
    def scope(self) -> Scope:
        """What the reward's values belong to."""
        return self.function.scope

    @property
    def channel(self) -> Channel:
        """How its values reach the advantages."""
        return "cost" if self.function.direction == "cost" else self.scope

    def bounds(self, num_ranks: int) -> tuple[float, float] | None:
        """Return the smallest and the largest value that it declares; None if it declares none."""
        return declared_range(named("reward", self.function, self.name), self.function, num_ranks)

    def span(self, num_ranks: int) -> float:
        """Return the largest minus the smallest value that it declares; 0 if it does not declare them."""
        bounds = self.bounds(num_ranks)
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

    def with_rows(self, rows: Sequence[int], others: RewardValues) -> RewardValues:
        """Return these values with those of *others* in place of the completions at *rows*."""
        at = torch.tensor(rows)
        return RewardValues(
            rank=self.rank.index_copy(1, at, others.rank),
            list=self.list.index_copy(1, at, others.list),
            cost=self.cost.index_copy(1, at, others.cost),
        )


def score(rewards: Sequence[ActiveReward], lists: JudgedLists) -> RewardValues:
    """Call every reward function once and check what it returns.

    Raises:
        RewardError: A function raised, returned another shape than its scope promises, or an
            infinite value. A failure never becomes a 0.
        PluginError: A function changed the lists, which others share.
    """
    shape = tuple(lists.rank_mask.shape)
    values: dict[Channel, list[Tensor]] = {"rank": [], "list": [], "cost": []}
    figures = lists.context.figures
    for reward in rewards:
        before = dict(figures)
        with phase(f"reward {reward.name}"):
            value, dropped = reward.caller(lists)
        own = {name: figures.pop(name) for name in list(figures) if name not in before}
        _check_figures(reward, own, before, figures)
        figures.update({f"{reward.name}/{name}": figure for name, figure in own.items()})
        if reward.calls.on_error == "drop":
            figures[f"{reward.name}/dropped"] = dropped / max(1, len(value))
        values[reward.channel].append(value)
    empty = torch.zeros((0, *shape))
    return RewardValues(
        rank=torch.stack(values["rank"]) if values["rank"] else empty,
        list=torch.stack(values["list"]) if values["list"] else empty[:, :, 0],
        cost=torch.stack(values["cost"]) if values["cost"] else empty,
    )


def _check_figures(
    reward: ActiveReward, own: Mapping[str, object], before: Mapping[str, float], figures: Mapping[str, float]
) -> None:
    """Refuse figures that a function wrote without :meth:`RunContext.log`, or took from others."""
    what = named("reward", reward.function, reward.name)
    if figures != before:
        raise PluginError(
            f"{what} changed what others have logged in lists.context.figures; use log(name, value)"
        )
    for name, value in own.items():
        if not (isinstance(name, str) and type(value) is float and math.isfinite(value)):
            raise PluginError(f"{what} logs {name!r} = {value!r}; expected a name and a finite number")
