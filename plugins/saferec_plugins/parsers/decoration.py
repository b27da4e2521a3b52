"""Decoration of titles: emphasis, quotes, labels and notes."""

from __future__ import annotations

import re

__all__ = ["label_end", "undecorated"]

EMPHASIS = "*_~"

CLOSING_QUOTES = {
    '"': '"', "'": "'", "`": "`'", "´": "´", "“": "”“", "”": "”", "‘": "’", "’": "’", "„": "“”", "‚": "‘’",
    "«": "»", "»": "«", "‹": "›", "›": "‹", "「": "」", "『": "』",
    "《": "》", "〈": "〉", "〝": "〞〟", "＂": "＂",
}  # fmt: skip
"""Closing quotes, by opening quote."""

LABEL = re.compile(
    r"""
    ["'*_{\s]*
    (?:(?:movie|film|show|series)[\s_]?(?:title|name)|title|movie|film|name|recommendation|suggestion|pick
      |titel|t[íi]tulo|titre|titolo|pel[íi]cula|название|фильм|片名|电影|影片|作品|タイトル|제목|영화)
    (?:\s?\#?[0-9]{1,3})?
    ["'*_]*\s?[:=：]["'*_]*\s*(?=\S)
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""``Title:`` and the like, perhaps the key of an object."""

LOOSE_END = re.compile(r"(?<![\s,;|])(?:\s+[-–—―|/~:]+|\s*[,;|]+)\s*$")
NUMERAL = re.compile(r"(?<!\s)\s+\((?:I{1,3}|I?V|VI{0,3}|I?X)\)$")
"""Distinguishes two works of one name and year in film databases; not part of the title."""
FOOTNOTE = re.compile(r"\[\^?[0-9]{1,3}\]$")

WIKI_EMPHASIS = re.compile(r"('{2,5})(?!')(.{1,300}?)\1", re.DOTALL)

MAX_LAYERS = 4
"""Enough for ``__**"Saw"**__``; a limit keeps parsing linear."""


def label_end(body: str) -> int:
    """Return the end of a label such as ``Title:`` at the beginning of *body*; 0 without one."""
    match = LABEL.match(body)
    return match.end() if match else 0


def undecorated(before: str, after: str) -> str:
    """Remove the decoration around a title.

    Only marks that open before the title and close after it are removed, either directly
    (``"Saw" (2004)``) or after the year (``"Saw (2004)"``): "*batteries not included" and "'71" keep their
    first character. Quotes are removed once and last, so a quoted title may begin and end with anything.

    Args:
        before: The text before the year, without bullet and number.
        after: The text after the year.

    Returns:
        The title, empty if there is nothing but decoration.
    """
    title = before.strip()
    for _ in range(MAX_LAYERS):
        title = _without_note(LOOSE_END.sub("", title))
        first = title[:1]
        if first in CLOSING_QUOTES:
            return without_quotes(title, after)
        if not first or first not in EMPHASIS:
            break
        inner, after = without_emphasis(title, after)
        if inner == title:
            break
        title = inner.strip()
    return without_loose_end(title)


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
    for closing in CLOSING_QUOTES[title[0]]:
        if after.startswith((closing, "." + closing, "," + closing)):
            return title[1:].strip()
        if len(title) > 1 and title.endswith((closing, closing + ",")):
            return title[1:].removesuffix(",").removesuffix(closing).strip()
    return title


def without_loose_end(title: str) -> str:
    """Drop a ``**`` that closes emphasis begun before the title, and notes behind it."""
    if title.endswith(("**", "__")):
        title = title.rstrip(title[-1]).rstrip()
    return _without_note(title)


def _without_note(title: str) -> str:
    """Drop a footnote, a numeral in brackets, and the quotes that wikis make italics of."""
    title = FOOTNOTE.sub("", NUMERAL.sub("", title)).rstrip() or title
    wiki = WIKI_EMPHASIS.fullmatch(title)
    return wiki[2] if wiki else title


def run_length(text: str, mark: str) -> int:
    """How often *text* begins with *mark*."""
    return len(text) - len(text.lstrip(mark))
