"""Limits on what a policy may do: multipliers that training adapts until a share is kept.

A limit such as ``violation_rate<=0.02`` is a constraint of the optimization, not a reward: its price is
charged with a multiplier that rises while the share is above the bound and falls while it is below
(dual ascent on the Lagrangian; Altman, "Constrained Markov Decision Processes", 1999). Proportional and
derivative terms damp its swings (Stooke, Achiam and Abbeel, "Responsive Safety in Reinforcement Learning
by PID Lagrangian Methods", arXiv 2007.03964); without them it is plain dual ascent. The excess is relative
to the bound, so that a limit of 1 % is pursued like one of 20 %, and it is taken over a target somewhat
below the bound: a controller holds its target on average, and at the bound itself every second batch would
exceed it. Prices are charged after normalization (see
:func:`saferec_core.plugins.contracts.normalizer.charge`): before it, a normalizer that divides by the
deviation would divide the multiplier out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from saferec_core.config.limits import Limit, read_limits
from saferec_core.config.sections import LimitsConfig
from saferec_core.errors import UnknownNameError
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.contracts.normalizer import Advantages, Costs, charge
from saferec_core.plugins.contracts.oracle import Verdict

__all__ = ["LimitVerdict", "LimitedRanks", "Limits", "limits_of"]

_SHARES: Mapping[str, Callable[[JudgedLists], Bool[Tensor, "N K"]]] = {
    "violation_rate": lambda lists: lists.violations,
    "wasted": lambda lists: lists.wasted,
    "repeated": lambda lists: lists.repeated,
    "seen": lambda lists: lists.seen,
    "out_of_catalog": lambda lists: ~lists.in_catalog & lists.rank_mask,
    "unknown": lambda lists: ~lists.known & lists.rank_mask,
}
"""Which of the written ranks count for a share; those of a trait are looked up in the verdicts."""

SMOOTHING = 0.9
"""Weight of the past in the share that the multiplier follows: about the last ten generation batches."""

LEAST_UNIT = 0.005
"""The excess over a bound below this is measured in this, so that a bound of 0 has a finite one."""


def limits_of(texts: Sequence[str], judge: Judge) -> list[Limit]:
    """Read the limits of a run; see `saferec_core.config.limits.read_limits`.

    Raises:
        ConfigError: One is refused; a line for every one.
        UnknownNameError: The oracle does not judge a trait.
    """
    oracle = judge.oracle
    limits = read_limits(texts, has_oracle=oracle is not None)
    for limit in limits:
        if limit.trait is not None and oracle is not None and limit.trait not in oracle.traits:
            raise UnknownNameError("trait", limit.trait, oracle.traits)
    return limits


class LimitedRanks(NamedTuple):
    """What C limits look at in N lists; NaN where a limit is not about a rank, or it was not written."""

    counted: Float[Tensor, "C N K"]
    """1 where a rank counts for the share, 0 where it does not."""
    prices: Float[Tensor, "C N K"]
    """-1 where a rank counts, 0 where it does not, NaN also where nobody can tell and where a rank is wasted.

    NaN pays what all ranks pay on average, neither a gain nor a loss: else the cheapest way to keep a limit
    on violations would be to repeat a safe title, or to name titles that the oracle does not know.
    """


def _counted_and_prices(limit: Limit, lists: JudgedLists) -> tuple[Tensor, Tensor]:
    """Return what one limit looks at, (N, K) each."""
    about, undecided = lists.rank_mask, torch.zeros_like(lists.rank_mask)
    if limit.trait is not None:
        counts, undecided = _of_trait(limit.trait, lists)
        has_trait = [limit.trait in record.constraints for record in lists.records]
        about = about & torch.tensor(has_trait)[:, None]
    else:
        counts = _SHARES[limit.share](lists)
        if limit.share == "violation_rate":
            undecided = lists.undecided
    counted = torch.where(about, counts.float(), torch.nan)
    return counted, torch.where((undecided | lists.wasted) & ~counts, torch.nan, -counted)


def _of_trait(trait: str, lists: JudgedLists) -> tuple[Bool[Tensor, "N K"], Bool[Tensor, "N K"]]:
    """Tell which ranks violate one trait, and of which nobody can tell."""
    counts, undecided = torch.zeros_like(lists.rank_mask), torch.zeros_like(lists.rank_mask)
    for row, verdicts in enumerate(lists.verdicts):
        counts[row, : len(verdicts)] = torch.tensor([trait in verdict.violated for verdict in verdicts])
        undecided[row, : len(verdicts)] = torch.tensor([_is_open(trait, verdict) for verdict in verdicts])
    return counts, undecided


def _is_open(trait: str, verdict: Verdict) -> bool:
    """Tell whether a verdict leaves a trait open; one that rests on another trait may say nothing of it."""
    silent = bool(verdict.violated) and bool(verdict.risks) and trait not in verdict.risks
    return not verdict.known or trait in verdict.open or silent


class LimitVerdict(NamedTuple):
    """What became of a limit."""

    kept: bool
    sentence: str
    """With the share at the end and, of a limit that was not kept, the lowest that was reached."""


@dataclass
class _Controller:
    """The multiplier of one limit, and what it has seen."""

    multiplier: float = 0.0
    integral: float = 0.0
    smoothed: float = math.nan
    """Recent share: an exponential mean over generation batches."""
    lowest: float = math.inf
    """The lowest that the smoothed share has been."""
    batches: int = 0

    def follow(self, share: float, bound: float, settings: LimitsConfig) -> None:
        """Adapt the multiplier to the share of a generation batch."""
        before = share if math.isnan(self.smoothed) else self.smoothed
        self.smoothed = SMOOTHING * before + (1 - SMOOTHING) * share
        self.batches += 1
        if self.batches >= 1 / (1 - SMOOTHING):  # before that, it is the first batches by chance
            self.lowest = min(self.lowest, self.smoothed)
        unit = max(bound, LEAST_UNIT)
        excess = (self.smoothed - (1 - settings.limit_margin) * bound) / unit
        rise = max(0.0, self.smoothed - before) / unit  # a fall is not damped
        highest = settings.limit_max
        self.integral = min(max(self.integral + settings.limit_rate * excess, 0.0), highest)
        pid = settings.limit_proportional * excess + self.integral + settings.limit_derivative * rise
        self.multiplier = min(max(pid, 0.0), highest)


@dataclass
class Limits:
    """The limits of a run with their multipliers; part of a checkpoint."""

    limits: Sequence[Limit]
    settings: LimitsConfig
    controllers: list[_Controller] = field(init=False)

    def __post_init__(self) -> None:
        """Begin with multipliers of 0."""
        self.controllers = [_Controller() for _ in self.limits]

    def ranks(self, lists: JudgedLists) -> LimitedRanks:
        """Return what every limit looks at in some lists."""
        if not self.limits:
            empty = torch.zeros((0, *lists.rank_mask.shape))
            return LimitedRanks(empty, empty)
        counted, prices = zip(*(_counted_and_prices(limit, lists) for limit in self.limits), strict=True)
        return LimitedRanks(torch.stack(counted), torch.stack(prices))

    def charge(
        self, advantages: Advantages, prices: Float[Tensor, "C N K"], rank_mask: Bool[Tensor, "N K"]
    ) -> Advantages:
        """Charge the prices of a whole generation batch at the multipliers that stand."""
        multipliers = torch.tensor([controller.multiplier for controller in self.controllers])
        return charge(advantages, Costs(prices, multipliers), rank_mask)

    def follow(self, counted: Float[Tensor, "C N K"]) -> None:
        """Adapt the multipliers to a whole generation batch; one without a value leaves its limit alone."""
        for limit, controller, counts in zip(self.limits, self.controllers, counted, strict=True):
            share = counts.nanmean().item()
            if share == share:
                controller.follow(share, limit.bound, self.settings)

    def figures(self) -> dict[str, float]:
        """Return each limit's multiplier and smoothed share, under the names of ``metrics.jsonl``."""
        figures = {}
        for limit, controller in zip(self.limits, self.controllers, strict=True):
            figures[f"multiplier/{limit.name}"] = controller.multiplier
            if controller.smoothed == controller.smoothed:
                figures[f"limited/{limit.name}"] = controller.smoothed
        return figures

    def verdicts(self) -> list[LimitVerdict]:
        """Say of each limit whether it was kept at the end of training."""
        return [
            self._verdict(limit, controller)
            for limit, controller in zip(self.limits, self.controllers, strict=True)
        ]

    def _verdict(self, limit: Limit, controller: _Controller) -> LimitVerdict:
        now = controller.smoothed
        if math.isnan(now):
            return LimitVerdict(
                True, f"The limit {limit} never applied: no list was written that it is about."
            )
        if now <= limit.bound:
            return LimitVerdict(True, f"The limit {limit} was kept: {now:.3g} at the end of training.")
        sentence = f"The limit {limit} was not kept: {now:.3g} at the end of training"
        if controller.lowest < math.inf:
            sentence += f"; the lowest was {controller.lowest:.3g}"
        if controller.multiplier >= self.settings.limit_max:
            sentence += f". Its multiplier reached limit_max = {self.settings.limit_max:g}"
        return LimitVerdict(False, f"{sentence}. Train longer, raise limit_rate, or allow more.")

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint has to hold, by limit."""
        pairs = zip(self.limits, self.controllers, strict=True)
        return {limit.name: asdict(controller) for limit, controller in pairs}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore a checkpoint's state; a limit that is not in it starts anew."""
        self.controllers = [_Controller(**state.get(limit.name, {})) for limit in self.limits]
