"""Titles in JSON, fenced, truncated or embedded in other text."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from saferec_core.data.title_cells import without_own_year
from saferec_core.data.titles import Title
from saferec_plugins.parsers.entries import bare_names, dated_entries
from saferec_plugins.parsers.readings import Rank

__all__ = ["JsonEntry", "may_be_json", "read_json_entries"]

BEGINS = re.compile(r"""\[\s*(?=["'{\[\]])|\{\s*(?=["'])""")
QUOTED_BEGIN = re.compile(r"""[\[{]\s*["'{]""")

TOKEN = re.compile(
    r"""
    \s*(?:
      (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\\n]|\\.)*'(?=\s*[,:\]}]))
      | (?P<sign>[\[\]{},:])
      | (?P<atom>[^\s\[\]{},:"']+)
    )
    """,
    re.VERBOSE | re.DOTALL,
)

TITLE_KEYS = (
    "title",
    "movie_title",
    "film_title",
    "movietitle",
    "name",
    "movie_name",
    "movie",
    "film",
    "item",
)
YEAR_KEYS = ("year", "release_year", "releaseyear", "year_of_release", "released", "release_date", "date")
YEAR = re.compile(r"(?:1[89]|20)[0-9]{2}")
NUMBERED = re.compile(r"\s*#?([0-9]{1,3})\s?[.):]\s+(?=\S)")


RANK_KEY = re.compile(
    r"(?:(?:rank|number|no|movie|film|title|item|recommendation|suggestion|pick|choice)[ _#]*)?[0-9]{1,3}"
)
"""Keys of an object of titles by rank."""

_OF_CALLS = frozenset(["arguments", "parameters"])
"""Keys under which a call of a tool, which has a name too, holds what it is given."""


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
    key: str | None = None
    """Of an object: the key whose value comes next."""
    fields: dict[str, Any] = field(default_factory=dict)
    values: list[Any] = field(default_factory=list)
    entries: list[JsonEntry] = field(default_factory=list)


def may_be_json(text: str, start: int, stop: int) -> bool:
    """Whether ``text[start:stop]`` holds an array or object with a string or an object in it."""
    return ("[" in text or "{" in text) and QUOTED_BEGIN.search(text, start, stop) is not None


def read_json_entries(text: str, start: int, stop: int) -> list[JsonEntry]:
    """Read the first list of titles in JSON in ``text[start:stop]``.

    A list is an array of strings, of objects with a title, or of ``[title, year]`` pairs, also as the
    value of a key; one object per line; or an object of titles by rank. A truncated array keeps its complete
    elements. Takes time linear in the length.
    """
    entries: list[JsonEntry] = []
    position = start
    while begins := BEGINS.search(text, position, stop):
        if entries and (text[begins.start()] == "[" or text[position : begins.start()].strip(_BETWEEN)):
            break
        new, position = _read_value(text, begins.start(), stop)
        if entries and len(new) != 1:
            break
        entries += new
        if text[begins.start()] == "[" and entries:
            break
    return entries


def _read_value(text: str, start: int, stop: int) -> tuple[list[JsonEntry], int]:
    """Read one array or object; return its titles and where it ends."""
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
            if not stack:
                done += closed.entries if not isinstance(value, JsonEntry) else [value]
                return done, position
            _take(stack[-1], value, closed.entries)
        elif sign is None:
            group = "string" if token["string"] is not None else "atom"
            _take(stack[-1], _scalar(token[group], group, token.start(group), token.end(group)), [])
        elif sign == ",":
            stack[-1].key = None
    for depth, container in enumerate(stack):  # truncated: complete elements count
        if container.sign == "{" and depth and stack[depth - 1].sign == "[":
            break
        done += container.entries
    return done, max(position, start + 1)


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
    return str(value)


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
        container.key = value.value if isinstance(value, _Text) else str(value)
    else:
        container.fields[container.key.casefold().replace(" ", "_")] = value
        container.entries += entries


def _closed(container: _Container, end: int, *, inside: list[_Container]) -> JsonEntry | None:
    """Return the title that a complete array or object represents, if it does."""
    if container.sign == "[":
        pair = container.values
        if inside and len(pair) == 2 and isinstance(pair[0], _Text):
            year = pair[1].value if isinstance(pair[1], _Text) else pair[1]
            if isinstance(year, int) or (isinstance(year, str) and YEAR.fullmatch(year)):
                return _entry(pair[0].value, int(year), container.start, end)
        return None
    fields = container.fields
    title = next((fields[key] for key in TITLE_KEYS if isinstance(fields.get(key), _Text)), None)
    if title is None or (container.entries and not fields.keys().isdisjoint(_OF_CALLS)):
        by_rank = [value for key, value in fields.items() if RANK_KEY.fullmatch(key)]
        container.entries += [
            value if isinstance(value, JsonEntry) else _entry(value.value, None, value.start, value.end)
            for value in by_rank
            if isinstance(value, JsonEntry | _Text)
        ]
        whole = bool(container.entries) or not fields
        return None if whole or not inside else JsonEntry((), (), container.start, end)
    return _entry(title.value, _year(fields), container.start, end)


def _year(fields: dict[str, Any]) -> int | None:
    for key in YEAR_KEYS:
        value = fields.get(key)
        text = value.value if isinstance(value, _Text) else str(value)
        if match := YEAR.search(text):
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
