"""Misspelled titles: the catalog entry that must be meant, if any."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from saferec_core.data.mapped_titles import Texts
from saferec_core.data.titles import (
    ENGLISH_ARTICLES,
    TRAILING_ARTICLES,
    Title,
    letters_and_digits,
    normal_form,
    without_accents,
)
from saferec_core.errors import ConfigError

__all__ = [
    "SpellingSearch",
    "numbers_of",
    "rapidfuzz",
    "same_but_for_spelling",
    "spelled",
    "without_article",
    "words_of",
]

MARGIN = 3.0
"""Minimum lead of the best title over the next, in points of 100."""

WORD_SCORE = 80.0
"""Minimum similarity of two spellings of one word, out of 100."""

SHORTEST = 9
"""Letters that a title must have before a word of it may count as misspelled: "Haunted" is not "Hunted"."""

SMALL_WORDS = frozenset({"a", "an", "the", "and", "of", "in", "to"})
"""Words that may be left out or added."""

SHORT_FORMS = {
    "vs": "v", "versus": "v", "dr": "doctor", "mr": "mister", "vol": "volume", "pt": "part", "ep": "episode",
}  # fmt: skip
"""Words that are written in several ways; "v" is then read as a number, but in all of them alike."""

_CARDINALS = (
    "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
)
_ORDINALS = "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth"
NUMBER_WORDS = {
    word: str(number)
    for words in (_CARDINALS, _ORDINALS)
    for number, word in enumerate(words.split(), start=1)
}

_ROMAN = re.compile(r"x{0,3}(?:ix|iv|v?i{0,3})")
_ROMAN_DIGITS = {"i": 1, "v": 5, "x": 10}
_DIGITS = re.compile(r"[0-9]+")


def words_of(name: str) -> list[str]:
    """Return the words of a title as the normal form has them, leading article and spaces kept."""
    text = without_accents(name).casefold().replace("&", " and ")
    front, comma, last_word = text.rpartition(",")
    if comma and last_word.strip() in TRAILING_ARTICLES:
        text = f"{last_word} {front}"
    words = (letters_and_digits(word, ascii_only=word.isascii()) for word in text.split())
    return [word for word in words if word]


def without_article(words: list[str]) -> list[str]:
    """Drop a leading English article that is not all there is."""
    return words[1:] if len(words) > 1 and words[0] in ENGLISH_ARTICLES else words


def spelled(name: str) -> list[str]:
    """Return the words of a title, no leading article, short forms written out, numbers as digits.

    A title of nothing but a number is left as it is: "Nine" and "9" are two films of 2009.
    """
    words = [SHORT_FORMS.get(word, word) for word in without_article(words_of(name))]
    return [_digits(word) for word in words] if len(words) > 1 else words


def _digits(word: str) -> str:
    if word and _ROMAN.fullmatch(word):
        values = [_ROMAN_DIGITS[letter] for letter in word]
        nexts = [*values[1:], 0]
        return str(sum(-one if one < other else one for one, other in zip(values, nexts, strict=True)))
    return NUMBER_WORDS.get(word, word)


def numbers_of(words: Iterable[str]) -> list[str]:
    """Return the numbers in the words of :func:`spelled`, in order; they tell the parts of a series apart."""
    return [digits.lstrip("0") for word in words for digits in _DIGITS.findall(word)]


def rapidfuzz() -> tuple[Any, Any]:
    """Return the modules ``fuzz`` and ``process`` of rapidfuzz.

    Raises:
        ConfigError: It is not installed.
    """
    try:
        from rapidfuzz import fuzz, process
    except ImportError as error:
        raise ConfigError(
            "fuzzy matching of titles needs rapidfuzz: pip install 'saferec[data]', or leave out 'fuzzy'"
        ) from error
    return fuzz, process


def same_but_for_spelling(one: Sequence[str], other: Sequence[str]) -> bool:
    """Return whether two titles, as :func:`spelled` returns them, can be one title with a misspelled word.

    Numbers must be the same, so that no part of a series is taken for another. Words that differ
    must begin with the same letter and be much alike, and not be singular and plural: "Aliens" is no
    misspelled "Alien".
    """
    if numbers_of(one) != numbers_of(other):
        return False
    left, right = _words_beyond(one, other), _words_beyond(other, one)
    if len(left) != len(right) or (left and min(len("".join(one)), len("".join(other))) < SHORTEST):
        return False
    fuzz, _ = rapidfuzz()
    return all(
        a[0] == b[0] and a.rstrip("s") != b.rstrip("s") and fuzz.ratio(a, b) >= WORD_SCORE
        for a, b in zip(left, right, strict=True)
    )


def _words_beyond(words: Sequence[str], other: Sequence[str]) -> list[str]:
    """Return the words that *other* does not have (as often), but for the small ones."""
    left = Counter(other)
    beyond = []
    for word in words:
        if left[word]:
            left[word] -= 1
        elif word not in SMALL_WORDS:
            beyond.append(word)
    return beyond


class SpellingSearch:
    """Finds the one title whose name is nearly the same, among those of about the same year.

    The words of all names are kept as one text a year, which takes about as much memory as the letters.
    """

    def __init__(self, titles: Sequence[Title], *, tolerance: int, min_score: float) -> None:
        """Prepare to search *titles*.

        Args:
            titles: The catalog.
            tolerance: Maximum difference in release year, in years.
            min_score: Minimum similarity of the names, out of 100.

        Raises:
            ConfigError: rapidfuzz is not installed.
        """
        rapidfuzz()
        self._tolerance = tolerance
        self._min_score = min_score
        self._titles = titles
        by_year: dict[int, Texts] = {}
        for position, (name, year) in enumerate(titles):
            if year is not None:
                by_year.setdefault(year, Texts()).add(position, " ".join(spelled(name)))
        self._by_year = {year: texts.table() for year, texts in by_year.items()}

    def nearest_form(self, title: Title) -> tuple[str, float] | None:
        """Return the normal form of the title that must have been meant, with its score of 100.

        None if no title is alike enough, or if the next best is nearly as much alike.
        """
        if title.year is None:
            return None
        fuzz, process = rapidfuzz()
        words = spelled(title.name)
        asked = " ".join(words)
        scores: dict[str, float] = {}
        for year in range(title.year - self._tolerance, title.year + self._tolerance + 1):
            if year not in self._by_year:
                continue
            positions, spellings = self._by_year[year].columns
            similar = process.extract(
                asked,
                spellings.to_pylist(),
                scorer=fuzz.ratio,
                score_cutoff=max(self._min_score - MARGIN, 0),
                limit=None,
            )
            for spelling, score, number in similar:
                if same_but_for_spelling(words, spelling.split()):
                    form = normal_form(self._titles[positions[number].as_py()].name)
                    scores[form] = max(score, scores.get(form, 0.0))
        if not scores:
            return None
        (form, best), *others = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
        if best < self._min_score or (others and best - others[0][1] < MARGIN):
            return None
        return form, round(best, 1)
