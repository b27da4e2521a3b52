"""How sentences end that others follow, and how they name several things."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

__all__ = ["CLOSING", "ended", "listed"]

CLOSING = "\"'”’»)]*_"
"""Signs that may follow the mark at the end of a sentence."""

_END = re.compile(rf"[.!?…。！？][{re.escape(CLOSING)}]*$")
_SMILEY = re.compile(r"(?:^|\s)(?:[:;=]['^-]?[()DPpO3/|]+|[xX]D+|</?3)$")


def ended(text: str) -> str:
    """End *text* with a full stop unless it ends with a mark, an emoji or a smiley already.

    A comma, a dash or the like at its end gives way to the full stop.
    """
    is_emoji = unicodedata.category(text[-1]) in {"So", "Sk"} or text[-1] == "\ufe0f"
    if is_emoji or _END.search(text) or _SMILEY.search(text):
        return text
    return (text.rstrip(" ,;:-–—") or text) + "."


def listed(names: Sequence[str]) -> str:
    """Join names as a sentence does: ``a, b and c``."""
    *front, last = names
    return f"{', '.join(front)} and {last}" if front else last
