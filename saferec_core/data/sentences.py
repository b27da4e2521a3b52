"""How sentences end that others follow, and how they name several things."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

__all__ = ["CLOSING", "LIST_LINE", "ended", "followed", "listed"]

CLOSING = "\"'”’»)]*_"
"""Signs that may follow the mark at the end of a sentence."""

_END = re.compile(rf"[.!?…。！？][{re.escape(CLOSING)}]*$")
_SMILEY = re.compile(r"(?:^|\s)(?:[:;=]['^-]?[()DPpO3/|]+|[xX]D+|</?3)$")

LIST_LINE = re.compile(r"\s*(?:[-*+•>]|[0-9]{1,3}[.)])\s")
"""How an entry of a list begins."""


def ended(text: str) -> str:
    """End *text* with a full stop unless it ends with a mark, an emoji or a smiley already.

    A comma, a dash or the like at its end gives way to the full stop.
    """
    is_emoji = unicodedata.category(text[-1]) in {"So", "Sk"} or text[-1] == "\ufe0f"
    if is_emoji or _END.search(text) or _SMILEY.search(text):
        return text
    return (text.rstrip(" ,;:-–—") or text) + "."


def followed(text: str, sentence: str) -> str:
    """Put a sentence behind *text*: in its own paragraph if a list ends there, whose entry it would join."""
    text = text.rstrip()
    if not text:
        return sentence
    if LIST_LINE.match(text.rpartition("\n")[2]):
        return f"{text}\n\n{sentence}"
    return f"{ended(text)} {sentence}"


def listed(names: Sequence[str]) -> str:
    """Join names as a sentence does: ``a, b and c``."""
    *front, last = names
    return f"{', '.join(front)} and {last}" if front else last
