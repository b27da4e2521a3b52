"""A plugin of saferec: a reward for titles that the policy has not named lately."""

from __future__ import annotations

from typing import TYPE_CHECKING

from saferec_core import hookimpl

if TYPE_CHECKING:
    from saferec_core.plugins.contracts.reward import RewardFunction
    from saferec_core.plugins.registry import Registry

__all__ = ["saferec_register_rewards"]


@hookimpl
def saferec_register_rewards(registry: Registry[RewardFunction]) -> None:
    """Offer the reward."""
    registry.add(
        "diversity",
        "saferec_diversity.reward:DiversityReward",
        summary="More for a title of the catalog the less often the policy has named it lately.",
    )
