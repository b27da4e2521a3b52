"""Built-in reward functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from saferec_core import hookimpl

if TYPE_CHECKING:
    from saferec_core.plugins.contracts.reward import RewardFunction
    from saferec_core.plugins.registry import Registry

__all__ = ["saferec_register_rewards"]


@hookimpl
def saferec_register_rewards(registry: Registry[RewardFunction]) -> None:
    """Offer the built-in rewards."""
    registry.add(
        "relevance",
        "saferec_plugins.rewards.relevance:RelevanceReward",
        summary="Hits of the ground truth, per rank (exp_inf) or as the DCG still to come (log_decay).",
    )
    registry.add(
        "safety",
        "saferec_plugins.rewards.safety:SafetyReward",
        summary="A penalty at every rank whose title violates a constraint of the user.",
    )
    registry.add(
        "count",
        "saferec_plugins.rewards.count:CountReward",
        summary="+1 for a list of exactly the target length, else minus the relative miss.",
    )
    registry.add(
        "fresh",
        "saferec_plugins.rewards.fresh:FreshReward",
        summary="A price for every rank that repeats a title, or names a seen or unavailable one.",
    )
