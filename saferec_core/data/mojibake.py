"""Text in UTF-8 that was once read as Windows-1252: "AmÃ©lie" for "Amélie"."""

from __future__ import annotations

import re

__all__ = ["may_be_mojibake", "without_mojibake"]

_LEADS = "ÃÂâ"

_TWO_OR_THREE = re.compile(
    r"""
    [ÃÂ][\u00a1-\u00bf]
    | (?<![A-Z\u00c0-\u00de])Ã[\u0080-\u00a0€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ]
    | â(?:€|\u0080)[\u0080-\u009d™˜œ“”¦š¢ž\u009d]
    """,
    re.VERBOSE,
)
"""Two or three characters that were one. Behind a capital an Ã may be a letter: "AMANHÃ – PARTE 2"."""


def may_be_mojibake(text: str) -> bool:
    """Whether it is worth a closer look; quick."""
    return any(map(text.__contains__, _LEADS))


def without_mojibake(text: str) -> str:
    """Put the characters that were meant in the place of those that a wrong encoding made of them."""
    return _TWO_OR_THREE.sub(_meant, text)


def _meant(match: re.Match[str]) -> str:
    written = match[0]
    try:
        octets = b"".join(one.encode("cp1252" if one > "\u009f" else "latin-1") for one in written)
        return octets.decode("utf-8")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return written
