"""Titles that may have been meant by an unknown title."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from saferec_core.data.title_tiers import UNDATED
from saferec_core.data.titles import Title, normal_form

__all__ = ["near_titles", "years_apart"]


def near_titles(titles: Iterable[Title], name: str, year: int | None, *, most: int = 5) -> list[Title]:
    """Return titles of the same name and another year, the nearest first, then titles that are spelled alike.

    Args:
        titles: What is known.
        name: The title that was asked for.
        year: Its year; of several titles of one name the nearest goes first.
        most: How many to return.
    """
    known: dict[str, list[Title]] = {}
    for title in titles:
        known.setdefault(normal_form(title.name), []).append(title)
    form = normal_form(name)
    alike = get_close_matches(form, known, n=most + 1, cutoff=0.75)
    return [
        title
        for other in dict.fromkeys([form, *alike])
        for title in sorted(known.get(other, ()), key=lambda title: years_apart(title.year, year))
    ][:most]


def years_apart(year: int | None, other: int | None) -> int:
    """Return the distance between two years; a very large number if one is unknown."""
    return UNDATED if year is None or other is None else abs(year - other)
