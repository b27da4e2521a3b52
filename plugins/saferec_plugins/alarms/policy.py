"""Alarms about the policy: how it moves, and how far."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.alarm import Alarm, LogRow, earlier_and_recent, recent

__all__ = ["Entropy", "FrozenWeights", "Kl", "Sampler"]

_SAMPLER = "sampling/sampling_logp_difference/mean"


@component
class Entropy(Alarm):
    """The entropy of the policy has collapsed: it samples the same completion again and again."""

    figures: ClassVar[tuple[str, ...]] = ("entropy",)

    least: float = Field(default=0.2, gt=0, le=1)
    """Smallest share of the entropy of the first rows that has to be left."""

    def __call__(self, log: Sequence[LogRow]) -> str | None:
        """Compare the recent entropy with that of the start."""
        entropies = earlier_and_recent(log, "entropy")
        if entropies is None or entropies[1] >= self.least * entropies[0]:
            return None
        return (
            f"the entropy of a token fell from {entropies[0]:.3f} to {entropies[1]:.3f} nats: the policy "
            "hardly explores, and soon all completions of a prompt are the same. Raise --kl-beta or "
            "--temperature, lower --learning-rate, or stop earlier (--select)"
        )


@component
class Kl(Alarm):
    """The policy has moved far from the reference policy; what it has learned may not hold elsewhere."""

    figures: ClassVar[tuple[str, ...]] = ("kl",)

    most: float = Field(default=2.0, gt=0)
    """Largest KL from the reference policy, in nats per token."""

    def __call__(self, log: Sequence[LogRow]) -> str | None:
        """Compare the recent KL with the largest allowed."""
        kl = recent(log, "kl")
        if kl is None or kl <= self.most:
            return None
        return (
            f"the KL from the reference policy is {kl:.2f} nats per token: the policy has run away from "
            "where it started, and often from how lists are written. Raise --kl-beta or lower --learning-rate"
        )


@component
class FrozenWeights(Alarm):
    """Optimizer steps change hardly any weight: there is no gradient, or it is lost in rounding."""

    figures: ClassVar[tuple[str, ...]] = ("grad_norm", "weights_moved")

    least: float = Field(default=0.1, ge=0, le=1)
    """Smallest share of the weights with a gradient that a step has to change."""

    def __call__(self, log: Sequence[LogRow]) -> str | None:
        """Look at the gradient, then at the share of weights that moved."""
        if recent(log, "grad_norm") == 0:
            return (
                "the gradient is exactly 0: nothing is learned. In Safe-Rank-GRPO that is so where all "
                "completions of every prompt earn the same; raise --temperature or --num-generations"
            )
        moved = recent(log, "weights_moved")
        if moved is None or moved >= self.least:
            return None
        return (
            f"a step changes {moved:.1%} of the weights that have a gradient: the others lose their update "
            "in rounding. Keep trained weights in float32 (--dtype auto), or raise --learning-rate"
        )


@component
class Sampler(Alarm):
    """The engine that samples and the trainer disagree about the probability of what was sampled."""

    figures: ClassVar[tuple[str, ...]] = (_SAMPLER,)

    most: float = Field(default=0.1, gt=0)
    """Largest mean difference between their log probabilities, in nats per token."""

    def __call__(self, log: Sequence[LogRow]) -> str | None:
        """Compare the recent difference with the largest allowed."""
        difference = recent(log, _SAMPLER)
        if difference is None or difference <= self.most:
            return None
        return (
            f"vLLM and the trainer differ by {difference:.2f} nats per token in the probability of what was "
            "sampled: importance ratios are wrong. Use the same data type in both (--dtype, --no-bf16), "
            "check that vLLM takes over the weights, or sample without --use-vllm"
        )
