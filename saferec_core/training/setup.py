"""Build what only reinforcement learning needs: rewards and the normalizer."""

from __future__ import annotations

from contextlib import suppress
from typing import get_args

from saferec_core.config.choices import RewardCalls, RewardChoice
from saferec_core.config.schema import TrainConfig
from saferec_core.errors import ConfigError, NameTakenError, PluginError
from saferec_core.plugins.build import build, chosen
from saferec_core.plugins.calls import named
from saferec_core.plugins.contracts.normalizer import Normalizer
from saferec_core.plugins.contracts.reward import Scope
from saferec_core.plugins.offered import Plugins
from saferec_core.rl.rewards import ActiveReward

__all__ = ["build_normalizer", "build_reward", "build_rewards"]


def build_rewards(config: TrainConfig, plugins: Plugins) -> list[ActiveReward]:
    """Build the reward functions that have a weight.

    Raises:
        UnknownNameError: No plugin offers one of them.
        ConfigError: An option is refused, the target length exceeds K, or an oracle is missing.
    """
    active = []
    for name, choice in config.rewards.items():
        if choice.weight == 0:
            with suppress(NameTakenError):  # not used, so nobody's loss
                plugins.find(plugins.rewards, name)
            continue
        active.append(build_reward(name, choice, config, plugins))
    return active


def build_reward(name: str, choice: RewardChoice, config: TrainConfig, plugins: Plugins) -> ActiveReward:
    """Build a reward function of a run.

    Raises:
        UnknownNameError: No plugin offers it.
        PluginError: It cannot be imported or built, or declares what cannot be.
        ConfigError: An option is refused, the target length exceeds K, or an oracle is missing.
    """
    entry = plugins.find(plugins.rewards, name)
    function = build(entry, choice.options, {"variant": config.reward_func})
    if (scope := getattr(function, "scope", None)) not in get_args(Scope):
        raise PluginError(
            f"reward {name!r} of {entry.origin} must have the scope 'rank' or 'list', but has {scope!r}"
        )
    if function.direction == "cost" and scope != "rank":
        raise PluginError(
            f"reward {name!r} of {entry.origin} is a cost, which must have the scope 'rank', but has "
            f"{scope!r}"
        )
    if function.target is not None and function.target > config.num_ranks:
        raise ConfigError(
            f"rewards.{name}.target = {function.target} titles cannot be ranked: num_ranks (K) is "
            f"{config.num_ranks}. Lower the target or set --num-ranks {function.target}."
        )
    if function.needs_oracle and config.oracle is None:
        raise ConfigError(
            f"reward {name!r} needs an oracle, but the run has none; name its table with "
            "--oracle-path, another oracle with --oracle, or leave the reward out"
        )
    calls = choice.calls or RewardCalls()
    if calls.cache and not function.deterministic:
        raise ConfigError(
            f"rewards.{name}.calls.cache: reward {name!r} declares that it is not deterministic, so its "
            "values cannot be kept"
        )
    return ActiveReward(entry.name, function, choice.weight, calls)


def build_normalizer(config: TrainConfig, plugins: Plugins) -> Normalizer:
    """Build the normalizer of the run."""
    normalizer: Normalizer = chosen(plugins, plugins.normalizers, config.normalizer)
    if not isinstance(normalizer.dynamic_sampling, bool):
        raise PluginError(
            f"{named('normalizer', normalizer)} must declare dynamic_sampling as true or false, but declares "
            f"{normalizer.dynamic_sampling!r}"
        )
    return normalizer
