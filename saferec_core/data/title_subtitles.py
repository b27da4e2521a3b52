"""Titles with and without their subtitle: which entry of the same year is meant, if one alone can be."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Protocol

from saferec_core.data.titles import Title, normal_form

__all__ = ["SubtitleLookup", "SubtitleSearch", "parts_of_name", "the_fitting"]

_JOINT = re.compile(r"\s*[:;]\s+|\s+[-–—]\s+|,?\s+or:?\s+|\s+and\s+the\s+|\s*[()]\s*", re.IGNORECASE)
"""What stands between a title and its subtitle."""


class SubtitleLookup(Protocol):
    """Finds titles as a `SubtitleSearch` does, whatever it keeps them in."""

    def find(self, title: Title) -> Title | None:
        """Return the entry that *title* must mean; None if there is none, or more than one."""


class SubtitleSearch:
    """Finds the one entry of a year that has, or lacks, a subtitle.

    "Jumanji" (2017) is "Jumanji: Welcome to the Jungle", "Kingsman: The Secret Service" (2014) is
    "Kingsman", and "Star Wars: The Rise of Skywalker" (2019) is "Star Wars: Episode IX - The Rise of
    Skywalker": the parts of the shorter title are, in order, among those of the longer one, the first of
    each being the same.
    """

    def __init__(self, titles: Iterable[Title]) -> None:
        """Index *titles* by year and first part."""
        self._entries: dict[tuple[int | None, str], list[tuple[Sequence[str], Title]]] = {}
        for title in dict.fromkeys(titles):
            parts = parts_of_name(title.name)
            if parts:
                self._entries.setdefault((title.year, parts[0]), []).append((parts, title))

    def find(self, title: Title) -> Title | None:
        """Return the entry that *title* must mean; None if there is none, or more than one."""
        parts = parts_of_name(title.name)
        if not parts or title.year is None:
            return None
        return the_fitting(parts, self._entries.get((title.year, parts[0]), ()))


def the_fitting(parts: Sequence[str], entries: Iterable[tuple[Sequence[str], Title]]) -> Title | None:
    """Return the one of the *entries*, each with its parts, that has or lacks a subtitle; None of several."""
    fitting = [entry for others, entry in entries if _is_within(parts, others) or _is_within(others, parts)]
    return fitting[0] if len(fitting) == 1 else None


def parts_of_name(name: str) -> Sequence[str]:
    """Return the normal forms of what stands before, between and after the joints of a name."""
    return [normal_form(part) for part in _JOINT.split(name) if any(map(str.isalnum, part))]


def _is_within(parts: Sequence[str], others: Sequence[str]) -> bool:
    """Whether *parts* stand, in this order, among *others*."""
    left = iter(others)
    return all(part in left for part in parts)
