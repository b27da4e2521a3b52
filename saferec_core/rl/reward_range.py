"""The range that a reward declares, and whether its values keep to it."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from saferec_core.errors import PluginError
from saferec_core.plugins.calls import calling
from saferec_core.plugins.contracts.reward import RewardFunction

__all__ = ["declared_range", "stray_value"]

_ROUNDING = 1e-5
"""What float32 may round to beyond a bound, relative to its size; 1e-5 itself below 1."""


def declared_range(what: str, function: RewardFunction, num_ranks: int) -> tuple[float, float] | None:
    """Return the smallest and the largest value that a reward declares; None if it declares none.

    Raises:
        PluginError: It fails to say, or says something else.
    """
    with calling(what, doing=" to state its range"):
        bounds = function.range(num_ranks)
        if bounds is None:
            return None
        smallest, largest = map(float, bounds)
    if not -math.inf < smallest <= largest < math.inf:
        raise PluginError(f"{what}: range must be the smallest and the largest value, but is {bounds!r}")
    return smallest, largest


def stray_value(
    what: str,
    function: RewardFunction,
    values: Tensor,
    rank_mask: Bool[Tensor, "N K"],
    lengths: Float[Tensor, " N"],
) -> str:
    """Say which value of a batch is outside what the reward declares; empty if none is.

    The range is about lists of at most K titles: values of longer ones may be outside of it, as those of a
    reward that counts titles are.

    Args:
        what: The reward, as errors name it.
        function: The reward.
        values: Its values, (N, K) or (N,); NaN has no size.
        rank_mask: Ranks that were written; values of others are ignored.
        lengths: Titles of each list, those beyond K included.

    Raises:
        PluginError: Its range cannot be had.
    """
    bounds = declared_range(what, function, rank_mask.shape[1])
    is_cost = function.direction == "cost"
    if bounds is None and not is_cost:
        return ""
    smallest, largest = bounds or (-math.inf, 0.0)
    if is_cost:
        largest = min(largest, 0.0)
    slack = _ROUNDING * max(1.0, *(abs(bound) for bound in (smallest, largest) if math.isfinite(bound)))
    above, below = values > largest + slack, values < smallest - slack
    within = lengths <= rank_mask.shape[1]
    if values.dim() > 1:
        above, below, within = above & rank_mask, below & rank_mask, within[:, None]
    is_stray = (above | below) & within
    if is_cost:
        is_stray = is_stray | above
    if not is_stray.any():
        return ""
    stray = values[is_stray]
    value = stray[torch.argmax(stray.abs())].item()
    if is_cost and value > 0:
        return (
            f"returned {value:g}, but is a cost, which is never above 0: a positive one pays for what it "
            'should charge for. Return its negative, or declare direction = "gain"'
        )
    return (
        f"returned {value:g}, which is outside the range {smallest:g}..{largest:g} that it declares; its "
        "weight and its deviations are judged by that range"
    )
