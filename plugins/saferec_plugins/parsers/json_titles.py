"""The titles that arrays and objects of JSON name, once all within them has been read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
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

__all__ = ["Container", "JsonEntry", "Text", "add_titles_of_keys", "closed", "take"]

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
    start: int
    key: Text | None = None
    """Of an object: the key whose value comes next."""
    fields: dict[str, Any] = field(default_factory=dict)
    """Of an object: its values, by key in lower case."""
    keys: list[Text] = field(default_factory=list)
    """Its keys as written."""
    values: list[Any] = field(default_factory=list)
    entries: list[JsonEntry] = field(default_factory=list)
    recommends: bool = False
    """Whether *entries* stand below a key such as ``recommendations``, so that no others count."""
    says_none: bool = False
    """Whether a list of recommendations within is empty, or a title is said not to be recommended."""


def take(container: Container, value: Any, entries: list[JsonEntry]) -> None:
    """Add a value to the array or object that contains it."""
    if container.sign == "[":
        container.values.append(value)
        if isinstance(value, Text):
            name = _without_number(value.value, len(container.values))
            container.entries.append(_entry(name, None, value.start, value.end))
        elif isinstance(value, JsonEntry):
            container.entries.append(value)
        else:
            container.entries += entries
    elif container.key is None:
        container.key = value if isinstance(value, Text) else Text(str(value), _NOWHERE, _NOWHERE)
    else:
        container.keys.append(container.key)
        container.fields[_name_of(container.key)] = value
        _admit(container, entries, is_list=value is None)


def _name_of(key: Text) -> str:
    return key.value.casefold().strip().replace(" ", "_")


def _admit(container: Container, entries: list[JsonEntry], *, is_list: bool) -> None:
    """Add the titles below the current key, if they are recommended."""
    key = "" if container.key is None else container.key.value
    recommends = is_list and names_recommendations(key)
    if recommends and not container.recommends:
        container.entries.clear()
        container.recommends = True
    if not names_other_titles(key) and (recommends or not container.recommends):
        container.entries += entries


def closed(container: Container, end: int, *, inside: list[Container]) -> JsonEntry | None:
    """Return the title that a complete array or object represents, if it does."""
    if container.sign == "{":
        return _closed_object(container, end, inside=bool(inside))
    pair = container.values
    if inside and len(pair) == 2 and isinstance(pair[0], Text) and (year := _whole_year(pair[1])):
        return _entry(pair[0].value, year, container.start, end)
    return None


def _closed_object(container: Container, end: int, *, inside: bool) -> JsonEntry | None:
    fields = container.fields
    title = next(
        (fields[key] for key in title_keys(fields) if isinstance(fields[key], Text | JsonEntry)), None
    )
    if title is not None and _is_rejected(fields):
        container.says_none = True
        if not container.recommends:
            container.entries.clear()
        return None
    if isinstance(title, JsonEntry):  # {"movie": {"title": ...}, "score": ...}
        return title._replace(start=container.start, end=end)
    if title is not None:
        year = _year(fields)
        entry = _entry(title.value, year, container.start, end)
        if not _is_group(container, entry, inside=inside):
            return entry
        if entry.readings:  # {"title": "Heat (1995)", "recommended": ["Saw (2004)"]}: neither is free
            container.entries.append(_entry(title.value, year, title.start, title.end))
            container.entries.sort(key=lambda listed: listed.start)
        return None
    add_titles_of_keys(container)
    rules_out = any(names_other_titles(key.value) for key in container.keys)
    whole = bool(container.entries) or not fields or rules_out or container.recommends
    return None if whole or not inside else JsonEntry((), (), container.start, end)


def _is_rejected(fields: Mapping[str, Any]) -> bool:
    """Whether an object says of its title that it is not recommended: ``"recommended": false``."""
    answers = (fields[key] for key in fields if rejects_if_false(key))
    return any(
        (answer.value if isinstance(answer, Text) else str(answer)).lower() in _NO for answer in answers
    )


def _is_group(container: Container, name: JsonEntry, *, inside: bool) -> bool:
    """Whether an object with a *name* lists titles below it: a call of a tool, or a list with a heading.

    If its name is a title with its year, only a list of such titles counts, and none within another list:
    there they belong to the title.
    """
    if name.readings:
        return not inside and container.recommends and any(entry.readings for entry in container.entries)
    calls = not container.fields.keys().isdisjoint(_OF_CALLS)
    lists = any(
        lists_recommendations(key.value) and container.fields[_name_of(key)] is None for key in container.keys
    )
    return bool(container.entries) and (calls or lists)


def add_titles_of_keys(container: Container) -> None:
    """Add the titles of an object that names them by rank, or with their years as its keys."""
    container.entries += [
        value if isinstance(value, JsonEntry) else _entry(value.value, None, value.start, value.end)
        for key, value in container.fields.items()
        if names_rank(key) and isinstance(value, JsonEntry | Text)
    ]
    keys = container.keys
    if not container.entries and all(key.start != _NOWHERE and with_year(key.value) for key in keys):
        container.entries += [_entry(key.value, None, key.start, key.end) for key in keys]


def _whole_year(value: Any) -> int | None:
    """Return a value that is nothing but a year."""
    text = value.value if isinstance(value, Text) else str(value)
    return int(text) if YEAR.fullmatch(text) else None


def _year(fields: dict[str, Any]) -> int | None:
    for key, value in fields.items():
        text = value.value if isinstance(value, Text) else str(value)
        if names_year(key) and (match := YEAR.search(text)):
            return int(match[0])
    return None


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
