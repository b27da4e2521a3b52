"""What people and models put around a title in a list: numbers, bullets, emphasis and quotes."""

from __future__ import annotations

import re

__all__ = ["looks_like_entry", "undecorated"]

MARKER = re.compile(
    r"""
    \s*
    (?:(?P<bullet>[-*+•·●▪◦‣–—]|>|\#{1,6})\s+)?
    (?P<number>
        (?P<opened>\*{1,3}|_{1,2})?                     # **1. Saw** (2004)
        \#?[0-9]{1,3}(?:[.)]|\s+[-–—])
        (?P<closed>(?(opened)(?P=opened)|(?!)))?        # **1.** Saw (2004)
        (?=\s)\s*
    )?
    """,
    re.VERBOSE,
)
"""One bullet, then one number. Space must follow each: "300: Rise of an Empire" is a title."""

EMPHASIS = "*_"

CLOSING_QUOTE = {
    '"': '"',
    "'": "'",
    "`": "`",
    "“": "”",
    "‘": "’",
    "„": "“",
    "«": "»",
}

MAX_LAYERS = 4
"""Enough for ``__**"Saw"**__``; a limit, so that no text takes longer than its length warrants."""


def undecorated(before: str, after: str) -> str:
    """Take the title out of its decoration.

    Only what opens before the title and closes behind it goes, either at once (``"Saw" (2004)``)
    or behind the year (``"Saw (2004)"``): "*batteries not included" and "'71" keep their first
    character. Number, bullet and quotes go once: "1. 2. Fall" is the title "2. Fall". Quotes come
    off last, so a quoted title may begin and end with anything.

    Args:
        before: The line up to the year.
        after: The line from behind the year on.

    Returns:
        The title, empty if there is nothing but decoration.
    """
    title = without_marker(before).rstrip()
    for _ in range(MAX_LAYERS):
        first = title[:1]
        if first in CLOSING_QUOTE:
            return without_quotes(title, after)
        if not first or first not in EMPHASIS:
            break
        inner, after = without_emphasis(title, after)
        if inner == title:
            break
        title = inner.strip()
    return without_loose_end(title)


def looks_like_entry(line: str) -> bool:
    """Whether *line* begins with a number, a bullet, emphasis or a quote, and is no heading."""
    marker = match_marker(line)
    heading = marker["bullet"] and marker["bullet"][0] in "#>"
    begins_decorated = (
        marker["number"]
        or (marker["bullet"] and not heading)
        or line[marker.end() : marker.end() + 1] in {*EMPHASIS, *CLOSING_QUOTE}
    )
    announces = line.rstrip(f"{EMPHASIS} ").endswith(":")
    return bool(begins_decorated) and not announces and any(map(str.isalnum, line))


def without_marker(line: str) -> str:
    """Drop indentation, bullet and number of *line*."""
    marker = match_marker(line)
    body = line[marker.end() :]
    if marker["opened"] and not marker["closed"]:
        return marker["opened"] + body
    return body


def match_marker(line: str) -> re.Match[str]:
    """Find what stands before a title; all its parts are optional."""
    marker = MARKER.match(line)
    assert marker is not None
    return marker


def without_emphasis(title: str, after: str) -> tuple[str, str]:
    """Drop the asterisks or underscores that *title* begins with, as far as they close again."""
    mark = title[0]
    opening = run_length(title, mark)
    if opening == len(title):
        return "", after
    closing_after = run_length(after, mark)
    if closing_after:
        width = min(opening, closing_after)
        return title[width:], after[width:]
    width = min(opening, len(title) - len(title.rstrip(mark)))
    if width:
        return title[width:-width], after
    return (title[2:] if opening > 1 else title), after  # no title begins with two of them


def without_quotes(title: str, after: str) -> str:
    """Drop the quote that *title* begins with, if it closes again; all within it is the title."""
    closing = CLOSING_QUOTE[title[0]]
    if after.startswith((closing, "." + closing, "," + closing)):
        return title[1:].strip()
    if len(title) > 1 and title.endswith(closing):
        return title[1:-1].strip()
    return title


def without_loose_end(title: str) -> str:
    """Drop a ``**`` or ``__`` that closes emphasis begun before the title."""
    if title.endswith(("**", "__")):
        return title.rstrip(title[-1]).rstrip()
    return title


def run_length(text: str, mark: str) -> int:
    """How often *text* begins with *mark*."""
    return len(text) - len(text.lstrip(mark))
