"""Text of others as a terminal may be given it: nothing in it moves the cursor, colors or turns round."""

from __future__ import annotations

import re

__all__ = ["plain"]

_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colors, movements of the cursor
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f]).*?(?:\x07|\x1b\\|\x9c|\Z)"  # titles, links, strings
    r"|\x1b[ -/]*[0-Z\\^-~]",
    re.DOTALL,
)
"""Escape sequences as ECMA-48 has them, to their end."""
_JOINERS = "\u200c\u200d"
"""Not printable by themselves, and a part of words in some scripts."""


def plain(text: str, *, lines: bool = False) -> str:
    """Return *text* without escape sequences, and with a space for what else a terminal would act on.

    Args:
        text: What others have written.
        lines: Whether line breaks and tabs stay; else the text becomes one line.
    """
    if text.isprintable():
        return text
    kept = _JOINERS + ("\n\t" if lines else "")
    shown = "".join(each if each.isprintable() or each in kept else " " for each in _SEQUENCE.sub("", text))
    return shown if lines else " ".join(shown.split())
