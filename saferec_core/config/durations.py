"""Durations as people write them."""

from __future__ import annotations

import re

__all__ = ["seconds"]

_DURATION = re.compile("".join(rf"(?:(\d+(?:\.\d+)?){unit})?" for unit in "dhms"))


def seconds(duration: str) -> float:
    """Read a duration such as ``"1h30m"``, ``"90m"`` or ``"5400"`` (seconds).

    Raises:
        ValueError: It is none, or not positive.
    """
    text = duration.strip().lower().replace(" ", "")
    match = _DURATION.fullmatch(text)
    if text and match:
        units = (86400, 3600, 60, 1)
        total = sum(float(part or 0) * unit for part, unit in zip(match.groups(), units, strict=True))
    else:
        try:
            total = float(text)
        except ValueError:
            total = 0
    if not 0 < total < float("inf"):
        raise ValueError(f"must be a duration such as 45m, 1h30m or 5400 (seconds), but is {duration!r}")
    return total
