"""Titles as people write them, matched with the entries of a catalog."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from saferec_core.data.titles import Title, normal_form
from saferec_plugins.transforms.title_spelling import SpellingSearch, without_article, words_of

__all__ = ["How", "Match", "TitleMatcher"]

_REMEMBERED = 1 << 17
"""How many answers are remembered before all are forgotten."""


class How(StrEnum):
    """On what grounds a title is taken for an entry of the catalog."""

    EXACTLY = "mapped exactly"
    """Of the same normal form and year."""
    OTHER_YEAR = "mapped by another year"
    """Of the same normal form, its year within the tolerance."""
    SPELLING = "mapped by spelling"
    """Nearly of the same name, its year within the tolerance."""
    AMBIGUOUS = "ambiguous"
    """Several entries fit equally well; the earliest, of the same year the first, was taken."""


class Match(NamedTuple):
    """The entry that a title stands for."""

    title: Title
    how: How
    score: float | None = None
    """How much alike the names are, of 100; None where their normal form is the same."""


class TitleMatcher:
    """Finds the entry of a catalog that a title stands for, as the catalog itself writes it.

    The normal form has to agree, and the year as nearly as any entry's does within the tolerance. Of
    several entries that fit ("After Life" and "Afterlife", both of 2019) the one is taken whose name
    agrees letter for letter; else but for case; else but for accents and punctuation; else but for a
    leading article too, spaces still counting. If several still fit, the match is ambiguous.
    """

    def __init__(
        self, titles: Iterable[Title], *, tolerance: int, spelling: SpellingSearch | None = None
    ) -> None:
        """Index *titles*.

        Args:
            titles: The catalog.
            tolerance: By how many years an entry may miss the year of a title.
            spelling: Asked about titles that are not found by their normal form.
        """
        self._tolerance = tolerance
        self._spelling = spelling
        self._entries: dict[str, dict[int, list[Title]]] = {}
        self._answers: dict[Title, Match | None] = {}
        for title in dict.fromkeys(titles):
            self._entries.setdefault(normal_form(title.name), {}).setdefault(title.year, []).append(title)

    def match(self, title: Title) -> Match | None:
        """Return what *title* stands for, or None."""
        if title in self._answers:
            return self._answers[title]
        if len(self._answers) >= _REMEMBERED:
            self._answers.clear()
        match = self._answers[title] = self._by_form(title) or self._by_spelling(title)
        return match

    def _by_form(self, title: Title) -> Match | None:
        nearest = self._nearest(normal_form(title.name), title.year)
        if not nearest:
            return None
        fitting = _most_alike(nearest, title.name)
        if len(fitting) > 1:
            return Match(fitting[0], How.AMBIGUOUS)
        return Match(fitting[0], How.EXACTLY if fitting[0].year == title.year else How.OTHER_YEAR)

    def _by_spelling(self, title: Title) -> Match | None:
        found = self._spelling and self._spelling.nearest_form(title)
        if not found:
            return None
        form, score = found
        fitting = _most_alike(self._nearest(form, title.year), title.name)
        return Match(fitting[0], How.AMBIGUOUS if len(fitting) > 1 else How.SPELLING, score)

    def _nearest(self, form: str, year: int) -> list[Title]:
        """Return the entries of a normal form whose years are nearest, the earliest first."""
        years = self._entries.get(form, {})
        distance = min((abs(other - year) for other in years), default=self._tolerance + 1)
        if distance > self._tolerance:
            return []
        return [
            title for other in sorted({year - distance, year + distance}) for title in years.get(other, ())
        ]


def _most_alike(entries: Sequence[Title], name: str) -> Sequence[Title]:
    """Return those of the *entries* whose name agrees best with *name*."""
    if len(entries) == 1:
        return entries
    for spelling in _SPELLINGS:
        asked = spelling(name)
        alike = [entry for entry in entries if spelling(entry.name) == asked]
        if alike:
            return alike
    return entries


def _spaced(name: str) -> str:
    return unicodedata.normalize("NFC", " ".join(name.split()))  # macOS writes "é" as two code points


_SPELLINGS: tuple[Callable[[str], str], ...] = (
    _spaced,
    lambda name: _spaced(name).casefold(),
    lambda name: " ".join(words_of(name)),
    lambda name: " ".join(without_article(words_of(name))),
)
"""From the strictest to the loosest."""
