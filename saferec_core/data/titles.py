"""When two titles mean the same film: one normal form for catalog, oracle and ground truth."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

__all__ = ["TitleIndex", "article_of", "normal_form"]

ENGLISH_ARTICLES = frozenset({"the", "a", "an"})

# fmt: off
TRAILING_ARTICLES = ENGLISH_ARTICLES | {
    "le", "la", "les", "l'", "l’", "un", "une",  # French, also Italian and Spanish
    "il", "lo", "i", "gli", "el", "los", "las", "una", "o", "os", "as", "um", "uma",
    "der", "die", "das", "den", "dem", "ein", "eine", "de", "het", "een", "det", "en", "ett", "et",
}
# fmt: on
"""What catalogs write behind a comma: "Avventura, L'", "Boot, Das", "Matrix, The"."""

MARKS = frozenset({"Mn", "Mc"})

ASCII_PUNCTUATION = {code: None for code in range(128) if not chr(code).isalnum()}


_OTHER_SCRIPTS = re.compile(
    "[\u0530-\u1cff\u2d30-\u2ddf\u2e80-\ua63f\ua6a0-\ua71f\ua800-\uab2f\uab70-\U0010ffff]"
)
"""What is neither Latin, Greek nor Cyrillic, whose accents people leave out, nor punctuation."""


@lru_cache(maxsize=1 << 16)
def normal_form(name: str) -> str:
    """Reduce *name* to what stays the same however people write the title.

    Accents, case, punctuation, spaces and a leading English article do not count, ``&`` is "and",
    and an article behind a comma stands in front. The marks of other scripts than Latin, Greek and
    Cyrillic do count: they are vowels and consonants. So "Amelie" is "Amélie", "Spider Man" is
    "Spider-Man" and "Matrix, The" is "Matrix". The words themselves count: "Se7en" is not "Seven".

    Args:
        name: The title without its year.

    Returns:
        Letters and digits only, with the marks that count; for a title that has none ("!!!"), the
        title itself in lower case.
    """
    ascii_only = name.isascii()
    text = name.lower() if ascii_only else without_accents(name).casefold()
    if "&" in text:
        text = text.replace("&", " and ")
    if "," in text:
        front, _, last_word = text.rpartition(",")
        if last_word.strip() in TRAILING_ARTICLES:
            text = f"{last_word} {front}"
    text = text.lstrip()
    if text[:1] in {"a", "t"}:  # as every English article begins
        words = text.split(maxsplit=1)
        if len(words) > 1 and words[0] in ENGLISH_ARTICLES:
            text = letters_and_digits(words[1], ascii_only=ascii_only) or words[0]
    return letters_and_digits(text, ascii_only=ascii_only) or name.strip().casefold()


def without_accents(text: str) -> str:
    """Decompose *text* (NFKD) and drop the combining marks of Latin, Greek and Cyrillic letters."""
    text = unicodedata.normalize("NFKD", text)
    if not _OTHER_SCRIPTS.search(text):
        return "".join(c for c in text if not unicodedata.combining(c))
    kept = []
    marks_count = False
    for c in text:
        if unicodedata.category(c) not in MARKS:
            marks_count = c.isalnum() and _OTHER_SCRIPTS.match(c) is not None
            kept.append(c)
        elif marks_count and not "\ufe00" <= c <= "\ufe0f":  # these choose between looks of a letter
            kept.append(c)
    return unicodedata.normalize("NFC", "".join(kept))


def letters_and_digits(text: str, *, ascii_only: bool) -> str:
    """Drop all of *text* that is neither a letter nor a digit nor, in other scripts, a mark."""
    if ascii_only:
        return text.translate(ASCII_PUNCTUATION)
    if not _OTHER_SCRIPTS.search(text):
        return "".join(filter(str.isalnum, text))
    return "".join(c for c in text if c.isalnum() or unicodedata.category(c) in MARKS)


def article_of(name: str) -> str:
    """Return the English article that a name begins with or, behind a comma, ends with."""
    front, _, last_word = name.rpartition(",")
    word = last_word.strip().casefold()
    if front and word in ENGLISH_ARTICLES:
        return word
    first, _, rest = name.lstrip().partition(" ")
    return first.casefold() if rest.strip() and first.casefold() in ENGLISH_ARTICLES else ""


class TitleIndex:
    """Finds titles by normal form and year, in constant time.

    Example:
        >>> index = TitleIndex([Title("The Matrix", 1999), Title("Saw", 2004)])
        >>> index.find("Matrix, The", 2000, tolerance=1)
        0
    """

    def __init__(self, titles: Iterable[Title]) -> None:
        """Index *titles*; of entries with the same normal form and year, the first one is found."""
        self.titles = tuple(titles)
        """The titles as given; `find` answers with positions in this tuple."""
        positions: dict[str, dict[int, int]] = {}
        for position, (name, year) in enumerate(self.titles):
            positions.setdefault(normal_form(name), {}).setdefault(year, position)
        self._entries = {form: tuple(sorted(years.items())) for form, years in positions.items()}

    def __len__(self) -> int:
        return len(self.titles)

    def find(self, name: str, year: int, *, tolerance: int) -> int | None:
        """Look up a title.

        Args:
            name: The title in any spelling that has the same normal form.
            year: Its year of release.
            tolerance: By how many years an entry may miss *year*; 0 for the exact year only. The
                nearest year is taken, of two equally near the earlier one.

        Returns:
            The position of the entry in `titles`, or None. A title that agrees in name alone is
            another film and is not found.
        """
        found = None
        nearest = tolerance + 1
        for entry_year, position in self._entries.get(normal_form(name), ()):
            distance = abs(entry_year - year)
            if distance < nearest:  # earlier years come first and win ties
                found, nearest = position, distance
        return found


class Title(NamedTuple):
    """An item by name and year of release, as somebody wrote it."""

    name: str
    year: int

    def __str__(self) -> str:
        return f"{self.name} ({self.year})"
