"""Arrays and objects of JSON while they are read, and the titles in them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, NamedTuple

from saferec_core.data.title_cells import with_year, without_own_year
from saferec_core.data.titles import Title
from saferec_plugins.parsers.entries import bare_names, dated_entries
from saferec_plugins.parsers.json_keys import (
    lists_recommendations,
    names_other_titles,
    names_rank,
    names_recommendations,
    names_year,
    rejects_if_false,
    title_keys,
)
from saferec_plugins.parsers.readings import Rank

__all__ = ["Container", "JsonEntry", "Text", "titles_of_open"]

YEAR = re.compile(r"(?:1[89]|20)[0-9]{2}")
NUMBERED = re.compile(r"\s*#?([0-9]{1,3})\s?[.):]\s+(?=\S)")

_OF_CALLS = frozenset(["arguments", "parameters"])
"""Keys under which a call of a tool, which has a name too, holds what it is given."""

_NO = frozenset(["false", "no"])

_NOWHERE = -1
"""Position of a key that is not a string."""


class JsonEntry(NamedTuple):
    """One element of the list."""

    readings: tuple[Title, ...]
    """Possible titles with their year, the most likely first; empty without a year."""
    bare: tuple[str | Title, ...]
    """Possible titles of an element without a year; empty if it names no title."""
    start: int
    end: int
    further: tuple[Title, ...] = ()

    @property
    def rank(self) -> Rank:
        """The rank that it takes."""
        return Rank(self.start, self.end, self.end, self.readings, self.bare, self.further)


class Text(NamedTuple):
    """A string with its position."""

    value: str
    start: int
    end: int


@dataclass(slots=True)
class Container:
    """An array or object that is open."""

    sign: str
    """The bracket that opens it."""
    start: int
    key: Text | None = None
    """Of an object: the key whose value comes next."""
    fields: dict[str, Any] = field(default_factory=dict)
    """Of an object: its values, by key in lower case."""
    keys: list[Text] = field(default_factory=list)
    """Its keys as written."""
    values: list[Any] = field(default_factory=list)
    """Of an array: its values."""
    entries: list[JsonEntry] = field(default_factory=list)
    """The titles in it so far."""
    recommends: bool = False
    """Whether *entries* stand below a key such as ``recommendations``, so that no others count."""
    says_none: bool = False
    """Whether a list of recommendations within is empty, or a title is said not to be recommended."""

    @property
    def key_name(self) -> str:
        """The key whose value comes next; empty if none is open."""
        return "" if self.key is None else self.key.value

    def take(self, value: Any, entries: Sequence[JsonEntry] = ()) -> None:
        """Add the next value.

        Args:
            value: A title, a scalar, or None for an array or object that is not a title itself.
            entries: The titles within such a one.
        """
        if self.sign == "[":
            self._take_element(value, entries)
        elif self.key is None:
            self.key = value if isinstance(value, Text) else Text(str(value), _NOWHERE, _NOWHERE)
        else:
            self.keys.append(self.key)
            self.fields[_normal(self.key)] = value
            self._admit(entries, is_list=value is None)

    def _take_element(self, value: Any, entries: Sequence[JsonEntry]) -> None:
        self.values.append(value)
        if isinstance(value, Text):
            name = _without_number(value.value, len(self.values))
            self.entries.append(_entry(name, None, value.start, value.end))
        elif isinstance(value, JsonEntry):
            self.entries.append(value)
        else:
            self.entries += entries

    def _admit(self, entries: Sequence[JsonEntry], *, is_list: bool) -> None:
        """Add the titles below the current key, if they are recommended."""
        recommends = is_list and names_recommendations(self.key_name)
        if recommends and not self.recommends:
            self.entries.clear()
            self.recommends = True
        if not names_other_titles(self.key_name) and (recommends or not self.recommends):
            self.entries += entries

    def closed(self, end: int, *, inside: bool) -> JsonEntry | None:
        """Return the title that this represents now that it is complete, if it does.

        Args:
            end: Where it ends.
            inside: Whether it stands within another array or object.
        """
        if self.sign == "{":
            return self._closed_object(end, inside=inside)
        pair = self.values
        if inside and len(pair) == 2 and isinstance(pair[0], Text) and (year := _whole_year(pair[1])):
            return _entry(pair[0].value, year, self.start, end)
        return None

    def _closed_object(self, end: int, *, inside: bool) -> JsonEntry | None:
        fields = self.fields
        titles = (fields[key] for key in title_keys(fields) if isinstance(fields[key], Text | JsonEntry))
        title = next(titles, None)
        if title is not None and self._is_rejected():
            self.says_none = True
            if not self.recommends:
                self.entries.clear()
            return None
        if isinstance(title, JsonEntry):  # {"movie": {"title": ...}, "score": ...}
            return title._replace(start=self.start, end=end)
        if title is not None:
            year = self._year()
            entry = _entry(title.value, year, self.start, end)
            if not self._is_group(entry, inside=inside):
                return entry
            if entry.readings:  # {"title": "Heat (1995)", "recommended": ["Saw (2004)"]}: neither is free
                self.entries.append(_entry(title.value, year, title.start, title.end))
                self.entries.sort(key=lambda listed: listed.start)
            return None
        self.add_titles_of_keys()
        rules_out = any(names_other_titles(key.value) for key in self.keys)
        whole = bool(self.entries) or not fields or rules_out or self.recommends
        return None if whole or not inside else JsonEntry((), (), self.start, end)

    def _is_rejected(self) -> bool:
        """Whether an object says of its title that it is not recommended: ``"recommended": false``."""
        answers = (self.fields[key] for key in self.fields if rejects_if_false(key))
        return any(_written(answer).lower() in _NO for answer in answers)

    def _is_group(self, name: JsonEntry, *, inside: bool) -> bool:
        """Whether an object with a *name* lists titles below it: a call of a tool, or a list with a heading.

        If its name is a title with its year, only a list of such titles counts, and none within another list:
        there they belong to the title.
        """
        if name.readings:
            return not inside and self.recommends and any(entry.readings for entry in self.entries)
        calls = not self.fields.keys().isdisjoint(_OF_CALLS)
        lists = any(
            lists_recommendations(key.value) and self.fields[_normal(key)] is None for key in self.keys
        )
        return bool(self.entries) and (calls or lists)

    def _year(self) -> int | None:
        for key, value in self.fields.items():
            if names_year(key) and (match := YEAR.search(_written(value))):
                return int(match[0])
        return None

    def add_titles_of_keys(self) -> None:
        """Add the titles of an object that names them by rank, or with their years as its keys."""
        self.entries += [
            value if isinstance(value, JsonEntry) else _entry(value.value, None, value.start, value.end)
            for key, value in self.fields.items()
            if names_rank(key) and isinstance(value, JsonEntry | Text)
        ]
        if not self.entries and all(key.start != _NOWHERE and with_year(key.value) for key in self.keys):
            self.entries += [_entry(key.value, None, key.start, key.end) for key in self.keys]


def titles_of_open(stack: Sequence[Container]) -> list[JsonEntry]:
    """Return the titles of containers that are still open where the text ends: their complete elements.

    Args:
        stack: The containers, outermost first.
    """
    whole = len(stack)
    for depth, (outer, inner) in enumerate(pairwise(stack), start=1):
        if outer.sign == "[" and inner.sign == "{":
            whole = depth
            break
    done: list[JsonEntry] = []
    for container in stack[:whole]:
        container.add_titles_of_keys()
        key = "" if container is stack[whole - 1] else container.key_name
        if not names_recommendations(key) or container.recommends:
            done += container.entries
            if container.recommends != names_recommendations(key) or names_other_titles(key):
                break
    return done


def _normal(key: Text) -> str:
    return key.value.casefold().strip().replace(" ", "_")


def _written(value: Any) -> str:
    return value.value if isinstance(value, Text) else str(value)


def _whole_year(value: Any) -> int | None:
    """Return a value that is nothing but a year."""
    text = _written(value)
    return int(text) if YEAR.fullmatch(text) else None


def _without_number(name: str, position: int) -> str:
    """Leave out the number of an element, if the *position*-th element of its array has that number."""
    number = NUMBERED.match(name)
    return name[number.end() :] if number is not None and int(number[1]) == position else name


def _entry(name: str, year: int | None, start: int, end: int) -> JsonEntry:
    """Read a title that may carry its year."""
    if year is not None:
        title = Title(name.strip(), year)
        return JsonEntry(tuple(dict.fromkeys((without_own_year(title), title))), (), start, end)
    dated = dated_entries(name, name, 0, strict=False)
    if not dated:
        return JsonEntry((), tuple(bare_names(name, name, 0)), start, end)
    first, *others = dated
    further = (*first.further, *(title for entry in others for title in (entry.readings[0], *entry.further)))
    return JsonEntry(first.readings, (), start, end, further)
