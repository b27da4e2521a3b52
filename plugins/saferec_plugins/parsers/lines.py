"""The lines of a completion without markup, with the positions of their characters."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

__all__ = ["BLANKS", "Line", "lines_of"]

BLANKS = (
    " \t\u00a0\u3000\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060"
    "\u2066\u2067\u2068\u2069\ufeff"
)
"""Spaces and invisible characters: direction marks and byte order marks."""

MARKUP_BREAK = re.compile(
    r"""
    <br\s*/?>(?:\r\n|[\n\r])?
    | <(?:movie|film|item|recommendation)\s[^<>]{0,300}/>(?:\r\n|[\n\r])?
    | </(?:li|tr|p|div|dd|dt|h[1-6]|ol|ul|table|movie|film|item|recommendation)\s*>(?:\r\n|[\n\r])?
    | (?<=.)(?=<li[\s>]) | (?<=.)(?=\\item\b)
    """,
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
"""Markup that ends a line, as HTML and LaTeX have it."""

INLINE_NUMBER = re.compile(r"(?:(?<=\s)|^)(?=[(\[]?([0-9]{1,2})(?:[.)\]]|️?⃣)\s*[^\W\d])")
"""A number of a list that may stand in the middle of a line; "Terminator 2: Judgment Day" has none."""

TAG = (
    r"</?(?:a|b|big|blockquote|body|center|cite|code|dd|dl|dt|div|em|font|h[1-6]|html|i|item|kbd|li|mark"
    r"|movie|ol|p|pre|q|small|span|strong|sub|summary|sup|table|tbody|thead|title|tr|tt|u|ul)(?:\s[^<>]{0,300})?/?>"
)
MARKUP = re.compile(
    rf"""
    (?P<cell></?t[dh](?:\s[^<>]{{0,100}})?>)
    | <(?P<dated>(?:release_?)?year)>\s{{0,3}}(?P<year>[0-9]{{4}})\s{{0,3}}</(?P=dated)>
    | <(?:movie|film|item|recommendation)
      (?P<attributes>(?:\s[a-z_-]{{1,20}}\s?=\s?(?:"[^"<>]{{0,200}}"|'[^'<>]{{0,200}}')){{1,12}})
      \s?(?:/>|>(?=\s{{0,3}}</))
    | (?P<tag>{TAG}|</?[a-z_|]{{1,20}}\|?>)
    | !?\[(?P<link>(?:[^\[\]]|\[[^\[\]]{{0,100}}\]){{1,300}})\]
      \(\s*(?:https?:|www\.|[/\#.]|mailto:)[^()\s]{{0,300}}
      (?:\([^()\s]{{0,300}}\)[^()\s]{{0,300}}){{0,5}}(?:\s+"[^"]{{0,200}}")?\s*\)
    | \[\[(?:[^\[\]|]{{1,200}}\|)?(?P<wiki>[^\[\]|]{{1,200}})\]\]
    | \[/?(?:b|i|u|s|url|list|size|color)(?:=[^\[\]]{{0,200}})?\]
    | \\boxed{{
    | \\(?:textbf|textit|emph|texttt|textsc|underline|text){{(?P<latex>[^{{}}]{{0,300}})}}
    | \\(?P<escaped>[!-/:-@\[-`{{-~])
    | (?P<entity>&(?:\#\d{{1,6}}|\#x[0-9a-f]{{1,5}}|[a-z]{{2,10}}\d?);)
    """,
    re.IGNORECASE | re.VERBOSE,
)

ATTRIBUTE = re.compile(r"""\s([a-z_-]{1,20})\s?=\s?(?:"([^"<>]{0,200})"|'([^'<>]{0,200})')""", re.IGNORECASE)
"""An attribute of a tag."""
YEAR = re.compile(r"(?:1[89]|20)[0-9]{2}")

SHADOW = str.maketrans(
    {
        **dict.fromkeys(BLANKS, " "),
        **dict.fromkeys("\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f", " "),
        **dict.fromkeys("（﹙", "("), **dict.fromkeys("）﹚", ")"),
        **dict.fromkeys("［【〔〖", "["), **dict.fromkeys("］】〕〗", "]"),
        "｛": "{", "｝": "}", "：": ":", "；": ";", "，": ",", "．": ".", "｜": "|", "／": "/", "＃": "#",
        "＊": "*",
        **dict.fromkeys("│┃║╎╏┆┇", "|"), **dict.fromkeys("─━═╌╍┄┅", "-"),
        **dict.fromkeys("┌┬┐├┼┤└┴┘┏┳┓┣╋┫┗┻┛╔╦╗╠╬╣╚╩╝╞╪╡╭╮╯╰", "+"),
        "＿": "_", "～": "-", "‐": "-", "‑": "-", "‒": "-", "−": "-", "－": "-", "﹣": "-", "،": ",",
    }
)  # fmt: skip
"""Look-alikes of characters in patterns; one character each, so that positions stay."""


class Line(NamedTuple):
    """One line without markup; positions count from its first character."""

    length: int
    """Characters up to the last one that writes anything."""
    size: int
    """Characters with the line break."""
    text: str
    """The line without markup and without its line break."""
    shadow: str
    """The same with the digits and the punctuation of all scripts as ASCII has them, character by
    character."""
    offsets: tuple[int, ...] | None = None
    """For each character of *text* its position in the line; None if they are the same."""

    def position(self, index: int) -> int:
        """Return the position of a character of *text*."""
        if self.offsets is None:
            return index
        return self.offsets[index] if index < len(self.offsets) else self.length


def lines_of(raw: str) -> list[tuple[int, Line]]:
    """Cut a line with its line break into lines that are not blank; return where each begins.

    The numbers of a list that is written in one line (``1. Heat 2. Saw``) begin lines too.
    """
    if raw.isspace():
        return []
    lines = [(begin, Line(*_content(raw[begin:end]))) for begin, end in _cuts(raw)]
    return [(begin, line) for begin, line in lines if line.length]


def _cuts(raw: str) -> Iterator[tuple[int, int]]:
    """Cut a line where its markup ends a line, and before each further number of a list."""
    cuts = [0, len(raw)]
    if "<" in raw or "\\item" in raw:
        cuts[1:1] = [match.end() for match in MARKUP_BREAK.finditer(raw)]
    for begin, end in pairwise(cuts):
        previous = begin
        for cut in _numbered_starts(raw[begin:end]):
            yield previous, begin + cut
            previous = begin + cut
        if previous < end:
            yield previous, end


def _numbered_starts(piece: str) -> list[int]:
    """Return the positions of 2, 3, ... in a list on one line, and of 1 unless it comes first."""
    starts: list[int] = []
    expected: int | None = None
    in_front = False
    previous = 0
    for match in INLINE_NUMBER.finditer(piece):
        start, number = match.start(), int(match[1])
        between = piece[previous:start]
        if expected is None:
            in_front = not between.strip(BLANKS + "*_#-•>")
            if not in_front and number != 1:
                continue
        elif number != expected or not any(map(str.isalpha, between)):
            continue
        if expected is not None or not in_front:
            starts.append(start)
        expected, previous = number + 1, start
    return starts if in_front or len(starts) > 1 else []


def _content(raw: str) -> tuple[int, int, str, str, tuple[int, ...] | None]:
    """Return the fields of a `Line`."""
    content = raw.rstrip(BLANKS + "\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029")
    text, offsets = content, None
    if any(mark in content for mark in "<[\\&"):
        text, offsets = _without_markup(content)
    shadow = text
    if not text.isascii():
        shadow = "".join(map(_ascii_digit, text.translate(SHADOW)))
    return len(content), len(raw), text, shadow, offsets


def _ascii_digit(character: str) -> str:
    if character < "\x80":
        return character
    digit = unicodedata.decimal(character, None)
    return character if digit is None else str(digit)


def _without_markup(content: str) -> tuple[str, tuple[int, ...] | None]:
    """Remove tags, links, escapes and entities from a line; return the rest with its offsets."""
    pieces: list[str] = []
    offsets: list[int] = []

    def keep(piece: str, offset: int, *, fixed: bool = False) -> None:
        pieces.append(piece)
        offsets.extend([offset] * len(piece) if fixed else range(offset, offset + len(piece)))

    position = 0
    for match in MARKUP.finditer(content):
        keep(content[position : match.start()], position)
        position = match.end()
        if match["cell"]:
            keep("|", match.start(), fixed=True)
        elif match["year"]:
            keep(f" ({match['year']})", match.start(), fixed=True)
        elif match["attributes"]:
            keep(_named_by(match["attributes"]), match.start(), fixed=True)
        elif match["entity"]:
            keep(html.unescape(match["entity"]), match.start(), fixed=True)
        else:
            for group in ("link", "wiki", "latex", "escaped"):
                if match[group] is not None:
                    keep(match[group], match.start(group))
    if not position:
        return content, None
    keep(content[position:], position)
    return "".join(pieces), tuple(offsets)


def _named_by(attributes: str) -> str:
    """Return the title that the attributes of a tag name, with its year if they have it."""
    values = {name.lower(): one or other for name, one, other in ATTRIBUTE.findall(attributes)}
    title = values.get("title") or values.get("name") or ""
    year = YEAR.search(values.get("year") or values.get("release_year") or "")
    return f"{title} ({year[0]}) " if title and year else f"{title} " if title else ""
