"""A plugin of saferec: leave-one-out advantages, and rewards that split choosing from ordering."""

from __future__ import annotations

from typing import TYPE_CHECKING

from saferec_core import hookimpl

if TYPE_CHECKING:
    from saferec_core.plugins.contracts.normalizer import Normalizer
    from saferec_core.plugins.contracts.reward import RewardFunction
    from saferec_core.plugins.registry import Registry

__all__ = ["saferec_register_normalizers", "saferec_register_rewards"]


@hookimpl
def saferec_register_normalizers(registry: Registry[Normalizer]) -> None:
    """Offer the normalizer."""
    registry.add(
        "loo",
        "saferec_loo.normalizer:LeaveOneOut",
        summary="Compares each completion with the mean of its other siblings (RLOO).",
    )


@hookimpl
def saferec_register_rewards(registry: Registry[RewardFunction]) -> None:
    """Offer the two halves of F-GRPO's split."""
    registry.add(
        "coverage",
        "saferec_loo.rewards:CoverageReward",
        summary="Share of the ground truth that the list holds, in whatever order (F-GRPO: choosing).",
    )
    registry.add(
        "utility",
        "saferec_loo.rewards:UtilityReward",
        summary="Discounted gain of the hit at each rank (F-GRPO: ordering).",
    )
