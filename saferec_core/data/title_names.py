"""The names that a title carries: as written, without brackets or edition, and those in brackets."""

from __future__ import annotations

import re

__all__ = ["may_have_more_names", "names_of"]

_BRACKET = re.compile(r"(.*\S)\s*[(（]([^()（）]+)[)）]\s*", re.DOTALL)

_KNOWN_AS = re.compile(
    r"\s*(?:a\.?\s?/?k\.?\s?/?a\.?|also known as|aka|or|originally|original title|orig\.)\s*:?\s+",
    re.IGNORECASE,
)

_PART = re.compile(
    r"(?:part|pt|vol|volume|chapter|episode|season|series|book|tome|teil)\b.*|[0-9]+|[ivxlc]+",
    re.IGNORECASE,
)
"""Brackets that distinguish the parts of a work; without them the name is that of another work."""

_EDITION = re.compile(
    r"(?:us|u\.s\.|uk|u\.k\.|usa|tv|t\.v\.|3d|imax|film|movie|documentary|short|mini-?\s?series|animated"
    r"|live[ -]action|remake|redux|remastered|restored|unrated|uncut|english"
    r"|.*\b(?:cut|edition|version|dub|series))",
    re.IGNORECASE,
)
"""Brackets that name an edition and are not a name of the title."""


_EDITION_ENDS = ("cut", "edition", "version")

_EDITION_BEHIND = re.compile(
    r"(?P<name>.*\S)(?:\s*:|\s+[-–—])\s+(?:the\s+(?:final|ultimate)|(?:the\s+)?(?:(?:ultimate|original|new)\s+)?"
    r"(?:director['’]?s|theatrical|extended|special|unrated|uncut|restored|remastered|collector['’]?s|deluxe|dvd"
    r"|(?:\w+\s+)?anniversary))\s+(?:cut|edition|version)\s*",
    re.IGNORECASE | re.DOTALL,
)
"""A title with its edition after a colon or dash. "Urban Legends: Final Cut" is a title of its own."""


def may_have_more_names(name: str) -> bool:
    """Return whether a title can have more than the name as written; most have not."""
    return "(" in name or "（" in name or name.lower().endswith(_EDITION_ENDS)


def names_of(name: str) -> list[str]:
    """Return the names that a title carries: as written, without its brackets, and those in them."""
    names, inner = [name], []
    if edition := _EDITION_BEHIND.fullmatch(name):
        name = edition["name"]
        names.append(name)
    while match := _BRACKET.fullmatch(name):
        name, bracket = match.groups()
        if _PART.fullmatch(bracket.strip()):
            break
        names.append(name)
        if not _EDITION.fullmatch(bracket.strip()):
            inner.append(_KNOWN_AS.sub("", bracket, count=1).strip() if _KNOWN_AS.match(bracket) else bracket)
    return [each for each in [*names, *inner] if any(map(str.isalpha, each)) or each == names[0]]
