"""Where a sentence ends, and how to end one that others follow."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["CLOSING", "ended"]

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
