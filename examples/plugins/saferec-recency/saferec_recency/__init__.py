"""A plugin of saferec: one hook that offers the reward recency."""

from __future__ import annotations

from typing import TYPE_CHECKING

from saferec_core import hookimpl

if TYPE_CHECKING:
    from saferec_core.plugins.contracts.reward import RewardFunction
    from saferec_core.plugins.registry import Registry

__all__ = ["saferec_register_rewards"]


@hookimpl
def saferec_register_rewards(registry: Registry[RewardFunction]) -> None:
    """Offer the component; its module is imported only by a run that names it."""
    registry.add(
        "recency",
        "saferec_recency.reward:RecencyReward",
        summary="1 for a film from the year SINCE on, 0 for an older one.",
    )
