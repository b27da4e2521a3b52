"""Titles as people write them, matched with the entries of a catalog."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from saferec_core.data.catalog import Catalog
from saferec_core.data.title_tiers import nearness
from saferec_core.data.titles import Title, name_keys
from saferec_plugins.transforms.title_spelling import SpellingSearch, without_article, words_of

__all__ = ["How", "Match", "TitleMatcher"]

_REMEMBERED = 1 << 17
"""How many answers are remembered before all are forgotten."""


class How(StrEnum):
    """How a title was matched with an entry of the catalog."""

    EXACTLY = "mapped exactly"
    """Of the same normal form and year."""
    OTHER_YEAR = "mapped by another year"
    """Of the very same name, articles included, its year within the tolerance."""
    NAME_ALONE = "without a year, mapped by its name alone"
    """Of a name that one entry alone has."""
    SUBTITLE = "mapped by its subtitle"
    """The only entry of the year with this title and a subtitle, or without it."""
    SPELLING = "mapped by spelling"
    """Nearly of the same name, its year within the tolerance."""
    AMBIGUOUS = "ambiguous"
    """Several entries of one year fit equally well; the first was taken."""
    UNDECIDED = "ambiguous: entries of two years are equally near, not mapped"


class Match(NamedTuple):
    """The entry that a title stands for."""

    title: Title | None
    """None where two may be meant."""
    how: How
    score: float | None = None
    """How much alike the names are, of 100; None where their normal form is the same."""


class TitleMatcher:
    """Finds the entry of a catalog that a title stands for, as the catalog itself writes it.

    A name of the entry and a name of the title must have the same normal form. The same year goes first; of
    several entries that fit ("After Life" and "Afterlife", both of 2019) the one is taken whose name agrees
    letter for letter; else but for case; else but for accents and punctuation; else but for a leading
    article too, spaces still counting. If several still fit, the match is ambiguous. Another year counts for
    the very same name only, and only if one year alone is nearest.
    """

    def __init__(
        self,
        catalog: Catalog,
        *,
        tolerance: int,
        spelling: SpellingSearch | None = None,
    ) -> None:
        """Remember no answer yet.

        Args:
            catalog: The entries; its own year tolerance does not count. Titles without a match by normal form
                are looked up by their subtitles if it has them.
            tolerance: Maximum difference in release year, in years.
            spelling: Used for titles that still have no match.
        """
        self._catalog = catalog
        self._tolerance = tolerance
        self._spelling = spelling
        self._answers: dict[Title, Match | None] = {}

    def match(self, title: Title) -> Match | None:
        """Return the match of *title*, or None."""
        if title in self._answers:
            return self._answers[title]
        if len(self._answers) >= _REMEMBERED:
            self._answers.clear()
        match = self._by_form(title) or self._by_subtitle(title) or self._by_spelling(title)
        self._answers[title] = match
        return match

    def _by_form(self, title: Title) -> Match | None:
        for form, article in name_keys(title.name):
            nearest = self._nearest(form, article, title.year)
            if not nearest:
                continue
            if _of_several_years(nearest):
                return Match(None, How.UNDECIDED)
            fitting = _most_alike(nearest, title.name)
            if len(fitting) > 1:
                return Match(fitting[0], How.AMBIGUOUS)
            if title.year is None:
                return Match(fitting[0], How.NAME_ALONE)
            return Match(fitting[0], How.EXACTLY if fitting[0].year == title.year else How.OTHER_YEAR)
        return None

    def _by_subtitle(self, title: Title) -> Match | None:
        entry = self._catalog.find_by_subtitle(title)
        return Match(entry, How.SUBTITLE) if entry else None

    def _by_spelling(self, title: Title) -> Match | None:
        similar = None if self._spelling is None else self._spelling.nearest_form(title)
        if similar is None:
            return None
        form, score = similar
        nearest = self._nearest(form, None, title.year)
        if _of_several_years(nearest):
            return Match(None, How.UNDECIDED, score)
        fitting = _most_alike(nearest, title.name)
        return Match(fitting[0], How.AMBIGUOUS if len(fitting) > 1 else How.SPELLING, score)

    def _nearest(self, form: str, article: str | None, year: int | None) -> list[Title]:
        """Return the entries with a name of this form whose years are nearest; any *article* if None."""
        near: dict[int, list[int]] = {}
        for named in self._catalog.named(form):
            asked = named.article if article is None else article
            agreement = nearness(named, article=asked, year=year, tolerance=self._tolerance)
            if agreement is not None:
                near.setdefault(agreement[0], []).append(named.entry)  # of one year the spelling decides
        nearest = sorted(near[min(near)]) if near else []
        entries = dict.fromkeys(self._catalog.titles[entry] for entry in nearest)
        return sorted(entries, key=lambda entry: entry.year or 0)


def _of_several_years(entries: Iterable[Title]) -> bool:
    return len({entry.year for entry in entries}) > 1


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
