"""Titles in JSON, fenced, truncated or embedded in other text."""

from __future__ import annotations

import ast
import json
import re
from typing import Any

from saferec_plugins.parsers.json_containers import Container, JsonEntry, Text, titles_of_open

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

FRONT = re.compile(r"\s*(?:```[a-zA-Z]{0,10}\s*)?(?=[\[{])")
BACK = re.compile(r"\s*(?:```\s*)?")

_BETWEEN = " ,;\r\n\t-*•.)0123456789"
"""What stands between objects that are one list: separators, or bullets and numbers."""


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
    stack: list[Container] = []
    position = start
    while token := TOKEN.match(text, position, stop):
        position = token.end()
        sign = token["sign"]
        if sign in {"[", "{"}:
            stack.append(Container(sign, token.start("sign")))
        elif sign in {"]", "}"}:
            closed = stack.pop()
            title = closed.closed(position, inside=bool(stack))
            closed.says_none |= closed.recommends and not closed.entries
            if not stack:
                return closed.entries if title is None else [title], position, closed.says_none
            stack[-1].says_none |= closed.says_none
            stack[-1].take(title, closed.entries if title is None else ())
        elif sign is None:
            stack[-1].take(_scalar(token))
        elif sign == ",":
            stack[-1].key = None
    return titles_of_open(stack), max(position, start + 1), False


def _scalar(token: re.Match[str]) -> Any:
    """Return a string with its position, a whole number, or anything else as it is written."""
    if (string := token["string"]) is not None:
        return Text(_unescaped(string), token.start("string"), token.end("string"))
    try:
        return int(token["atom"])
    except ValueError:
        return token["atom"]


def _unescaped(written: str) -> str:
    try:
        value = json.loads(written, strict=False) if written[0] == '"' else ast.literal_eval(written)
    except (ValueError, SyntaxError):
        return written[1:-1]
    # "\\ud83d" is half a letter.
    return str(value).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
