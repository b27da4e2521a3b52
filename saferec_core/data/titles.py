"""When two titles mean the same film: one normal form for catalog, oracle and ground truth.

A title may have several names; each is compared by its normal form. The same year decides first. Another
year counts only for the very same name, articles included, and only if one title alone is nearest: "Room
(2005)" is not "The Room (2003)".
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from saferec_core.data.mojibake import may_be_mojibake, without_mojibake
from saferec_core.data.title_names import may_have_more_names, names_of
from saferec_core.data.title_tiers import NamedEntry, Tiers, by_nearness, the_one, tiers_of

__all__ = [
    "NameKey",
    "Title",
    "TitleIndex",
    "article_of",
    "keys_as_written",
    "keys_of_entry",
    "name_keys",
    "normal_form",
]

ENGLISH_ARTICLES = frozenset({"the", "a", "an"})

# fmt: off
TRAILING_ARTICLES = ENGLISH_ARTICLES | {
    "le", "la", "les", "l'", "l’", "un", "une",  # French, also Italian and Spanish
    "il", "lo", "i", "gli", "el", "los", "las", "una", "o", "os", "as", "um", "uma",
    "der", "die", "das", "den", "dem", "ein", "eine", "de", "het", "een", "det", "en", "ett", "et",
}
# fmt: on
"""Articles that catalogs write after a comma: "Avventura, L'", "Boot, Das", "Matrix, The"."""

MARKS = frozenset({"Mn", "Mc"})

ASCII_PUNCTUATION = bytes(code for code in range(128) if not chr(code).isalnum())


_OTHER_SCRIPTS = re.compile(
    "[\u0530-\u1cff\u2d30-\u2ddf\u2e80-\ua63f\ua6a0-\ua71f\ua800-\uab2f\uab70-\U0010ffff]"
)
"""Letters of scripts other than Latin, Greek and Cyrillic, in which marks are not optional accents."""


_ENTITY = re.compile(r"&(?:#[0-9]{1,6}|#x[0-9a-f]{1,5}|amp|quot|apos|lt|gt|nbsp);")
"""Entities that web pages leave in titles: "Tom &amp; Jerry"."""


@lru_cache(maxsize=1 << 16)
def normal_form(name: str) -> str:
    """Reduce *name* to a form that is the same for all spellings of a title.

    Accents, case, punctuation, spaces and a leading English article do not count, ``&`` (or ``&amp;``) is
    "and", and an article after a comma counts as leading. "AmÃ©lie", in a wrong encoding, is "Amélie". The
    marks of other scripts than Latin, Greek and Cyrillic do count: they are vowels and consonants. So
    "Amelie" is "Amélie", "Spider Man" is "Spider-Man" and "Matrix, The" is "Matrix". The words themselves
    count: "Se7en" is not "Seven".

    Args:
        name: The title without its year.

    Returns:
        Letters and digits only, with the marks that count; for a title that has none ("!!!"), the
        title itself in lower case.
    """
    if "&" in name:
        name = _ENTITY.sub(lambda entity: html.unescape(entity[0]), name)
    ascii_only = name.isascii()
    if not ascii_only and may_be_mojibake(name):
        name = without_mojibake(name)
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
        elif marks_count and not "\ufe00" <= c <= "\ufe0f":  # variation selectors
            kept.append(c)
    return unicodedata.normalize("NFC", "".join(kept))


def letters_and_digits(text: str, *, ascii_only: bool) -> str:
    """Drop all of *text* that is neither a letter nor a digit nor, in other scripts, a mark."""
    if ascii_only:
        return text.encode("ascii").translate(None, ASCII_PUNCTUATION).decode("ascii")
    if not _OTHER_SCRIPTS.search(text):
        return "".join(filter(str.isalnum, text))
    return "".join(c for c in text if c.isalnum() or unicodedata.category(c) in MARKS)


class Title(NamedTuple):
    """An item by name and year of release, as somebody wrote it."""

    name: str
    year: int | None
    """None if it is not known."""

    def __str__(self) -> str:
        return self.name if self.year is None else f"{self.name} ({self.year})"


class NameKey(NamedTuple):
    """A name as it is compared."""

    form: str
    """Its normal form."""
    article: str
    """The English article in front of it, wherever it was written; else nothing."""


@lru_cache(maxsize=1 << 16)
def name_keys(name: str) -> tuple[NameKey, ...]:
    """Return the keys by which the names of a title are compared, the name as written first.

    Names in brackets count: "Seven (a.k.a. Se7en)" is "Seven" and "Se7en" too. An edition does not: "Alien:
    The Director's Cut" is "Alien" too.
    """
    if not may_have_more_names(name):
        return (NameKey(normal_form(name), article_of(name)),)
    return tuple(dict.fromkeys(NameKey(normal_form(each), article_of(each)) for each in names_of(name)))


def keys_of_entry(name: str, aliases: Iterable[str]) -> Sequence[NameKey]:
    """Return the keys of an entry, each once: those of its name, then those of its aliases."""
    further = (key for alias in aliases for key in name_keys(alias))
    return list(dict.fromkeys((*name_keys(name), *further)))


def keys_as_written(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the normal forms and articles of many names: of each the first of its `name_keys`, but faster.

    Returns:
        N normal forms and N articles.
    """
    forms, articles = [], []
    for name in names:
        form = article = ""
        if name.isascii() and name.isprintable() and "," not in name and "&" not in name:  # as most names
            text = name.lower().lstrip()
            if text[:1] in {"a", "t"}:
                word, _, rest = text.partition(" ")
                if word in ENGLISH_ARTICLES and rest.strip():
                    article, text = word, rest
            form = text.encode().translate(None, ASCII_PUNCTUATION).decode()
        if not form:
            form, article = normal_form(name), article_of(name)
        forms.append(form)
        articles.append(article)
    return forms, articles


def article_of(name: str) -> str:
    """Return the English article that a name begins with or, behind a comma, ends with."""
    front, _, last_word = name.rpartition(",")
    word = last_word.strip().casefold()
    if front and word in ENGLISH_ARTICLES:
        return word
    first, _, rest = name.lstrip().partition(" ")
    return first.casefold() if rest.strip() and first.casefold() in ENGLISH_ARTICLES else ""


class TitleIndex:
    """Finds titles by name and year, in constant time.

    Example:
        >>> index = TitleIndex([Title("The Matrix", 1999), Title("Saw", 2004)])
        >>> index.find("Matrix, The", 2000, tolerance=1)
        0
    """

    def __init__(self, titles: Iterable[Title], aliases: Mapping[int, Sequence[str]] | None = None) -> None:
        """Index *titles*; of entries with the same normal form and year, the first one counts.

        Args:
            titles: The entries. Names in brackets are names of the entry too.
            aliases: Further names of entries, by position.
        """
        self.titles = tuple(titles)
        """The titles as given; `find` answers with positions in this tuple."""
        self._entries: dict[str, list[NamedEntry]] = {}
        for position, (name, year) in enumerate(self.titles):
            for number, key in enumerate(keys_of_entry(name, (aliases or {}).get(position, ()))):
                entry = NamedEntry(key.article, year, position, number > 0)
                self._entries.setdefault(key.form, []).append(entry)

    def __len__(self) -> int:
        return len(self.titles)

    def find(self, name: str, year: int | None, *, tolerance: int) -> int | None:
        """Look up a title.

        Args:
            name: Any of its names, in any spelling that has the same normal form.
            year: Its year of release; None if unknown.
            tolerance: Maximum difference in release year, in years, for an entry with the very same name;
                the nearest year counts.

        Returns:
            The position of the entry in `titles`. None if there is no such entry, or if several may be meant:
            they are equally near, or the year is not known.
        """
        for form, article in name_keys(name):
            if tiers := by_nearness(self.named(form), article=article, year=year, tolerance=tolerance):
                return the_one(tiers)
        return None

    def named(self, form: str) -> Sequence[NamedEntry]:
        """Return each name of an entry that has this normal form; entries of one year in their order."""
        return self._entries.get(form, ())

    def tiers(self, name: str, year: int | None, *, tolerance: int) -> Tiers:
        """Return all positions that may be meant by a title, in tiers: see `tiers_of`."""
        for form, article in name_keys(name):
            tiers = tiers_of(self.named(form), article=article, year=year, tolerance=tolerance)
            if tiers:
                return tiers
        return ()

    def years_of(self, name: str) -> Sequence[int | None]:
        """Return the years of all entries that *name* is a name of, an entry's own name before an alias."""
        for form, _ in name_keys(name):
            entries = self.named(form)
            if entries:
                own = [entry for entry in entries if not entry.is_alias] or entries
                return list(dict.fromkeys(entry.year for entry in own))
        return ()
