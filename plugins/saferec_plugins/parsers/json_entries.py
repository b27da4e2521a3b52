"""Titles in JSON, fenced, truncated or embedded in other text."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
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

__all__ = ["JsonEntry", "may_be_json", "read_json_entries", "recommends_nothing"]

BEGINS = re.compile(r"""\[\s*(?=["'“{\[\]])|\{\s*(?=["'“]|[0-9]{1,3}\s?:)""")
QUOTED_BEGIN = re.compile(r"""[\[{]\s*(?:["'“{]|[0-9]{1,3}\s?:\s*["'“{])""")

TOKEN = re.compile(
    r"""
    \s*(?:
      (?P<string>"(?:[^"\\]|\\.)*"|“[^“”\n]*”|'(?:[^'\\\n]|\\.)*'(?=\s*[,:\]}]))
      | (?P<sign>[\[\]{},:])
      | (?P<atom>[^\s\[\]{},:"'“]+)
    )
    """,
    re.VERBOSE | re.DOTALL,
)

YEAR = re.compile(r"(?:1[89]|20)[0-9]{2}")
FRONT = re.compile(r"\s*(?:```[a-zA-Z]{0,10}\s*)?(?=[\[{])")
BACK = re.compile(r"\s*(?:```\s*)?")
NUMBERED = re.compile(r"\s*#?([0-9]{1,3})\s?[.):]\s+(?=\S)")

_OF_CALLS = frozenset(["arguments", "parameters"])
"""Keys under which a call of a tool, which has a name too, holds what it is given."""


_NO = frozenset(["false", "no"])

_NOWHERE = -1
"""Position of a key that is not a string."""

_BETWEEN = " ,;\r\n\t-*•.)0123456789"
"""What stands between objects that are one list: separators, or bullets and numbers."""


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


@dataclass(slots=True)
class _Container:
    """An array or object that is open."""

    sign: str
    start: int
    key: _Text | None = None
    """Of an object: the key whose value comes next."""
    fields: dict[str, Any] = field(default_factory=dict)
    """Of an object: its values, by key in lower case."""
    keys: list[_Text] = field(default_factory=list)
    """Its keys as written."""
    values: list[Any] = field(default_factory=list)
    entries: list[JsonEntry] = field(default_factory=list)
    recommends: bool = False
    """Whether *entries* stand below a key such as ``recommendations``, so that no others count."""
    says_none: bool = False
    """Whether a list of recommendations within is empty, or a title is said not to be recommended."""


def may_be_json(text: str, start: int, stop: int) -> bool:
    """Whether ``text[start:stop]`` holds an array or object with a string or an object in it."""
    return ("[" in text or "{" in text) and QUOTED_BEGIN.search(text, start, stop) is not None


def read_json_entries(text: str, start: int, stop: int) -> list[JsonEntry]:
    """Read the first list of titles in JSON in ``text[start:stop]``.

    A list is an array of strings, of objects with a title, or of ``[title, year]`` pairs, also as the value
    of a key; one object per line; or an object of titles by rank, or with titles as its keys. A truncated
    array keeps its complete elements. Of an object with several lists, those count that a key calls
    recommendations, else all but those that a key such as ``excluded`` rules out. Takes time linear in the
    length.
    """
    entries: list[JsonEntry] = []
    position = start
    while begins := BEGINS.search(text, position, stop):
        if entries and (text[begins.start()] == "[" or text[position : begins.start()].strip(_BETWEEN)):
            break
        new, position, says_none = _read_value(text, begins.start(), stop)
        if entries and len(new) != 1 and not (says_none and not new):
            break
        entries += new
        if text[begins.start()] == "[" and entries:
            break
    return entries


def recommends_nothing(text: str, start: int, stop: int) -> bool:
    """Whether ``text[start:stop]`` is an array or object, no more, whose list of recommendations is empty."""
    front = FRONT.match(text, start, stop)
    if front is None:
        return False
    entries, end, says_none = _read_value(text, front.end(), stop)
    return says_none and not entries and BACK.fullmatch(text, end, stop) is not None


def _read_value(text: str, start: int, stop: int) -> tuple[list[JsonEntry], int, bool]:
    """Read one array or object.

    Returns:
        Its titles, where it ends, and whether it says that there are no further ones: by an empty list, or of
        itself that it is not recommended.
    """
    stack: list[_Container] = []
    done: list[JsonEntry] = []
    position = start
    while token := TOKEN.match(text, position, stop):
        position = token.end()
        sign = token["sign"]
        if sign in {"[", "{"}:
            stack.append(_Container(sign, token.start("sign")))
        elif sign in {"]", "}"}:
            closed = stack.pop()
            value = _closed(closed, position, inside=stack)
            closed.says_none |= closed.recommends and not closed.entries
            if not stack:
                done += closed.entries if not isinstance(value, JsonEntry) else [value]
                return done, position, closed.says_none
            stack[-1].says_none |= closed.says_none
            _take(stack[-1], value, [] if isinstance(value, JsonEntry) else closed.entries)
        elif sign is None:
            group = "string" if token["string"] is not None else "atom"
            _take(stack[-1], _scalar(token[group], group, token.start(group), token.end(group)), [])
        elif sign == ",":
            stack[-1].key = None
    return _truncated(stack), max(position, start + 1), False


def _truncated(stack: list[_Container]) -> list[JsonEntry]:
    """Return the titles of containers that are still open where the text ends: their complete elements."""
    whole = len(stack)
    for depth, (outer, inner) in enumerate(pairwise(stack), start=1):
        if outer.sign == "[" and inner.sign == "{":
            whole = depth
            break
    done: list[JsonEntry] = []
    for container in stack[:whole]:
        _add_titles_of_keys(container)
        key = "" if container is stack[whole - 1] or container.key is None else container.key.value
        if not names_recommendations(key) or container.recommends:
            done += container.entries
            if container.recommends != names_recommendations(key) or names_other_titles(key):
                break
    return done


class _Text(NamedTuple):
    """A string with its position."""

    value: str
    start: int
    end: int


def _scalar(written: str, group: str, start: int, end: int) -> Any:
    if group == "string":
        return _Text(_unescaped(written), start, end)
    try:
        return int(written)
    except ValueError:
        return written


def _unescaped(written: str) -> str:
    try:
        value = json.loads(written, strict=False) if written[0] == '"' else ast.literal_eval(written)
    except (ValueError, SyntaxError):
        return written[1:-1]
    return (
        str(value).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    )  # "\\ud83d" is half a letter


def _take(container: _Container, value: Any, entries: list[JsonEntry]) -> None:
    """Add a value to the array or object that contains it."""
    if container.sign == "[":
        container.values.append(value)
        if isinstance(value, _Text):
            name = _without_number(value.value, len(container.values))
            container.entries.append(_entry(name, None, value.start, value.end))
        elif isinstance(value, JsonEntry):
            container.entries.append(value)
        else:
            container.entries += entries
    elif container.key is None:
        container.key = value if isinstance(value, _Text) else _Text(str(value), _NOWHERE, _NOWHERE)
    else:
        container.keys.append(container.key)
        container.fields[_name_of(container.key)] = value
        _admit(container, entries, is_list=value is None)


def _name_of(key: _Text) -> str:
    return key.value.casefold().strip().replace(" ", "_")


def _admit(container: _Container, entries: list[JsonEntry], *, is_list: bool) -> None:
    """Add the titles below the current key, if they are recommended."""
    key = "" if container.key is None else container.key.value
    recommends = is_list and names_recommendations(key)
    if recommends and not container.recommends:
        container.entries.clear()
        container.recommends = True
    if not names_other_titles(key) and (recommends or not container.recommends):
        container.entries += entries


def _closed(container: _Container, end: int, *, inside: list[_Container]) -> JsonEntry | None:
    """Return the title that a complete array or object represents, if it does."""
    if container.sign == "{":
        return _closed_object(container, end, inside=bool(inside))
    pair = container.values
    if inside and len(pair) == 2 and isinstance(pair[0], _Text) and (year := _whole_year(pair[1])):
        return _entry(pair[0].value, year, container.start, end)
    return None


def _closed_object(container: _Container, end: int, *, inside: bool) -> JsonEntry | None:
    fields = container.fields
    title = next(
        (fields[key] for key in title_keys(fields) if isinstance(fields[key], _Text | JsonEntry)), None
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
    _add_titles_of_keys(container)
    rules_out = any(names_other_titles(key.value) for key in container.keys)
    whole = bool(container.entries) or not fields or rules_out or container.recommends
    return None if whole or not inside else JsonEntry((), (), container.start, end)


def _is_rejected(fields: Mapping[str, Any]) -> bool:
    """Whether an object says of its title that it is not recommended: ``"recommended": false``."""
    answers = (fields[key] for key in fields if rejects_if_false(key))
    return any(
        (answer.value if isinstance(answer, _Text) else str(answer)).lower() in _NO for answer in answers
    )


def _is_group(container: _Container, name: JsonEntry, *, inside: bool) -> bool:
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


def _add_titles_of_keys(container: _Container) -> None:
    """Add the titles of an object that names them by rank, or with their years as its keys."""
    container.entries += [
        value if isinstance(value, JsonEntry) else _entry(value.value, None, value.start, value.end)
        for key, value in container.fields.items()
        if names_rank(key) and isinstance(value, JsonEntry | _Text)
    ]
    keys = container.keys
    if not container.entries and all(key.start != _NOWHERE and with_year(key.value) for key in keys):
        container.entries += [_entry(key.value, None, key.start, key.end) for key in keys]


def _whole_year(value: Any) -> int | None:
    """Return a value that is nothing but a year."""
    text = value.value if isinstance(value, _Text) else str(value)
    return int(text) if YEAR.fullmatch(text) else None


def _year(fields: dict[str, Any]) -> int | None:
    for key, value in fields.items():
        text = value.value if isinstance(value, _Text) else str(value)
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
