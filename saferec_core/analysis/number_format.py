"""Numbers as a reader wants them: as many digits as an interval bears out."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["figures", "interval", "p_value"]

_MOST_DECIMALS = 6


def figures(*numbers: float, sign: str = "", like: Sequence[float] = ()) -> list[str]:
    """Write numbers with the same decimals: two digits of what lies between them, or of one alone.

    Args:
        numbers: What to write; NaN is "no value".
        sign: ``"+"`` to write it in front of what is not negative.
        like: Numbers, such as an interval's, whose decimals to use instead.
    """
    present = [number for number in (like or numbers) if math.isfinite(number)]
    width = (max(present) - min(present) or abs(present[0])) if present else 0.0
    decimals = 1 - math.floor(math.log10(width)) if width > 0 else 0
    decimals = min(max(decimals, 0), _MOST_DECIMALS)
    return [
        f"{round(number, decimals) + 0.0:{sign}.{decimals}f}" if math.isfinite(number) else "no value"
        for number in numbers
    ]


def interval(mean: float, low: float, high: float, *, sign: str = "") -> str:
    """Write ``mean [low, high]``, without the bounds where there are none."""
    if math.isnan(low) or math.isnan(high):
        return figures(mean, sign=sign)[0]
    shown = figures(mean, low, high, sign=sign)
    return f"{shown[0]} [{shown[1]}, {shown[2]}]"


def p_value(p: float) -> str:
    """Write a p-value to three decimals."""
    if math.isnan(p):
        return "no value"
    return "<0.001" if p < 0.001 else f"{p:.3f}"
