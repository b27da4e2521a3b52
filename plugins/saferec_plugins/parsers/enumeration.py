"""Bullets and numbers before the titles of a list, in all scripts and styles."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

__all__ = ["Marker", "accepted_markers", "read_marker"]

BULLET = r"[-*+•·●▪▫◦‣⁃∙○◉◎◆◇■□★☆✦✧❖►▶▸▹▻→⇒➔➤➢»›–—―✓✔✗✘☑☐☒・~]"
TIGHT_BULLET = r"[•●▪◦‣⁃◆◇■□★☆✦✧❖►▶▸▹→⇒➔➤➢✓✔✗✘☑☐☒・]"
"""Bullets that need no space behind them."""

EMOJI = (
    r"[\u231a-\u23ff\u2600-\u26ff\u2700-\u2775\u2794-\u27bf\u2b00-\u2bff\U0001f000-\U0001f0ff"
    r"\U0001f1e6-\U0001faff]"
)
EMOJI_RUN = rf"(?:{EMOJI}[\ufe0f\u20e3\u200d\U0001f3fb-\U0001f3ff]*\s*){{1,4}}"

FRONT = re.compile(
    rf"""
    (?P<indent>\s*)
    (?:(?P<heading>\#{{1,6}}\s+|>{{1,3}}\s*)
      | (?P<bullet>(?:{BULLET}(?:\ufe0f)?\s+|(?:[-=–—]{{1,2}}>|--)\s+|{TIGHT_BULLET}\s*
          |\\item\b\s*(?:\[[^\]]{{0,20}}\]\s*)?|<li>)
        (?:\[[ xX✓✔✗]?\]\s+)?)
      | (?P<box>\[[ xX✓✔✗*]?\]\s+)
      | (?P<emoji>(?!🔟){EMOJI_RUN}(?=[^\s\ufe0f\u20e3]))
    )?
    """,
    re.VERBOSE,
)

_COUNTED = (
    "one two three four five six seven eight nine ten eleven twelve",
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth",
    "erstens zweitens drittens viertens fünftens sechstens siebtens achtens neuntens zehntens",
    "erster zweiter dritter vierter fünfter sechster siebter achter neunter zehnter",
    "premièrement deuxièmement troisièmement quatrièmement cinquièmement sixièmement",
    "premier deuxième troisième quatrième cinquième sixième septième huitième neuvième dixième",
    "primera segunda tercera cuarta quinta sexta séptima octava novena décima",
    "primero segundo tercero cuarto quinto sexto séptimo octavo noveno décimo",
    "primeiro segundo terceiro quarto quinto sexto sétimo oitavo nono décimo",
    "primo secondo terzo quarto quinto sesto settimo ottavo nono decimo",
    "첫째 둘째 셋째 넷째 다섯째 여섯째 일곱째 여덟째 아홉째 열째",
)
WORDS = {word: number for words in _COUNTED for number, word in enumerate(words.split(), start=1)}
HAN = {digit: number for number, digit in enumerate("一二三四五六七八九十", start=1)}
ROMAN = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}

NAMED = (
    r"(?:no|nr|num|number|rank|ranking|movie|film|title|recommendation|pick|option|choice|item|suggestion|entry"
    r"|top|place|position|platz|número|numéro|película|nº|n°|№|tipp?|empfehlung|vorschlag|recomendación|sugerencia"
    r"|recomendação|sugestão|recommandation|suggerimento|consiglio|raccomandazione|aanbeveling|рекомендация|фильм"
    r"|推荐|推薦|影片|电影|電影|作品|映画|おすすめ|추천|영화)"
)

NUMBER = re.compile(
    rf"""
    (?P<keycap>(?:[0-9]{{1,2}}\ufe0f?\u20e3){{1,3}}|🔟)[.:)]?\s*
    | (?P<enclosed>[\u2460-\u249b\u24f5-\u24fe\u2776-\u2793\u3251-\u325f\u32b1-\u32bf])[.:)]?\s*
    | (?P<named>(?:(?P<sign>№|n[º°])|{NAMED}\.?)\s*\#?\s*(?P<named_number>[0-9]{{1,3}})\s*
        (?:[*_]{{0,3}}[:.)、]\s*|[*_]{{0,3}}\s*[-–—]\s+|(?(sign)(?<=\s)|(?!))))(?=\S)
    | (?P<wrapped>`?(?P<wrapped_number>[0-9]{{1,3}})[*_`]{{1,3}}[.:)]?\s+)(?=[^\s(\[])
    | (?P<hash>\#\s?(?P<hash_number>[0-9]{{1,3}})(?P<hash_end>[.):、]+\s*|\s+[-–—]\s+|\s+))(?=\S)
    | (?P<ordinal>(?P<ordinal_number>[0-9]{{1,3}})(?:st|nd|rd|th|(?P<degree>[º°]|位|위|번째|번)|ª|er|re|e)\.?
        (?:\s+(?:place|pick|choice))?\s*(?:[:.)、]\s*|[-–—]\s+|(?(degree)(?<=[\s.])|(?!))))(?=\S)
    | (?P<closed>(?P<closed_number>[0-9]{{1,3}})
        (?:\s?\.\)|\.{{3}}\s+(?=[^\W\d_])|\s?[.)\]][-–—:.](?=\s)|\s?[.)](?=\s)|[.)](?=[^\W\d_]|\.{{2,3}}\s?[^\W\d_]|["'“„«»‘「『《*_(\[\#¡¿!$…+@&])|\s?[、。]|\s*\]|/(?=\s)|>(?=\s)|\t)\s*)
    | (?P<dash>(?P<dash_number>[0-9]{{1,3}})(?:\s+[-–—•·→▸►]+|[-–—](?=\s))\s+(?=\S))
    | (?P<bracket>[(\[<]\#?(?P<bracket_number>[0-9]{{1,3}})[)\]>][.:、]?\s*)(?=\S)
    | (?P<colon>(?P<colon_number>[0-9]{{1,3}})\s?:\s+)(?=\S)
    | (?P<digit>(?P<digit_number>[0-9]{{1,3}})[.)](?=[0-9]))
    | (?P<comma>(?P<comma_number>[0-9]{{1,3}})(?:[,;|](?=[^\W\d_]|["'“])|\s?\|\s+(?=\S)))
    | (?P<han>第?(?P<han_number>[一二三四五六七八九十]{{1,3}}|(?<=第)[0-9]{{1,3}})
        (?:[、.:)。]|[部位名]\s*[:、.]?)\s*)(?=\S)
    | (?P<word>(?:(?:number|num|no|nummer|numéro|número)\.?\s+)?
        (?P<word_number>{"|".join(sorted(WORDS, key=len, reverse=True))})(?:ly)?
        \s*(?P<word_end>[:,.)]|[-–—](?=\s))\s+)(?=\S)
    | (?P<roman>[(\[]?(?P<roman_number>(?=[ivxl]|[IVXL])(?:[ivxl]{{1,7}}|[IVXL]{{1,7}}))
        (?:[.)\]](?=\s)|\s?[-–—:](?=\s))\s+)(?=\S)
    | (?P<small_roman>(?P<small_roman_number>[\u2160-\u217b])[.)、:]?\s*)(?=\S)
    | (?P<letter>[(\[]?(?P<letter_number>[^\W\d_])(?P<letter_end>[)\]]|[.:](?=\s)|\s?[-–—](?=\s))\s*)(?=\S)
    | (?P<bare>(?P<bare_number>[0-9]{{1,3}})\s+(?=[^\W\d_]|["'“„«‘「『《*_]))
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""A number before a title, in the styles that people and models use."""

SURE = frozenset(
    {
        "keycap",
        "enclosed",
        "named",
        "ordinal",
        "closed",
        "dash",
        "han",
        "small_roman",
        "closed_letter",
    }
)
"""Styles with which no title begins; for other styles the neighboring lines decide."""

EMPHASIS = re.compile(r"\*{1,3}|_{1,3}")

_BEHIND_NUMBER = re.compile(r"[.:)]?\s*(?:[-–—]\s+)?")

_BOX = re.compile(r"\[[ xX✓✔✗*]?\]\s+(?=\S)")

_EMOJI_RUN = re.compile(EMOJI_RUN)

_LONG_RUN = 3
_MOST_ALONE = 20


class Marker(NamedTuple):
    """Bullet and number before a title."""

    style: str
    """Name of the number's style; empty without a number."""
    value: int | None
    """The number."""
    bullet: str
    """``bullet``, ``heading`` or nothing."""
    indent: int
    """How far the line is indented."""
    unnumbered: int
    """Where the rest of the line begins if the number is the title's own."""
    end: int
    """Where the rest of the line begins after the number."""
    opened: str = ""
    """Emphasis that opens before the number and closes after the title."""

    @property
    def sure(self) -> bool:
        """Whether the style alone shows that the number is not part of a title."""
        return self.style in SURE


def read_marker(shadow: str, text: str) -> Marker:
    """Read bullet and number of a line.

    Args:
        shadow: The line with the digits and the punctuation of ASCII.
        text: The line as it is, character by character.
    """
    front = FRONT.match(shadow)
    assert front is not None, "all its parts are optional"
    bullet = "heading" if front["heading"] else "bullet" if front.end() > front.end("indent") else ""
    if front["emoji"] and not _is_title_start(shadow, front.end()):
        bullet = "bullet"
    indent = len(front["indent"].expandtabs(4))
    start = front.end()
    emphasis = EMPHASIS.match(shadow, start)
    opened = emphasis[0] if emphasis else ""
    number = NUMBER.match(shadow, start + len(opened))
    value = None if number is None else _value(number)
    if number is not None and number["wrapped"] and not (opened or number[0].startswith("`")):
        value = None  # "300** ..." opens nothing
    if number is not None and opened and opened in number[0]:
        opened = ""  # it closes around the number: *1* Saw
    if number is None or value is None or not _is_title_start(shadow, number.end()):
        return Marker("", None, bullet, indent, _behind_emoji(shadow, start) if bullet else start, start)
    end = number.end()
    closes = opened and shadow.startswith(opened, end)
    if closes:  # **1.** Saw
        end = _BEHIND_NUMBER.match(shadow, end + len(opened)).end()  # type: ignore[union-attr] # may be empty
    end = _behind_repeated(shadow, end, value)
    box = _BOX.match(shadow, end)
    end = _behind_emoji(shadow, box.end() if box else end)
    style = _style(number, text[number.start() : number.end()])
    return Marker(style, value, bullet, indent, start, end, "" if closes else opened)


def accepted_markers(markers: Sequence[Marker], has_title: Sequence[bool]) -> list[bool]:
    """Decide for each line whether its number belongs to the list, or to the title.

    ``300: Rise of an Empire`` and ``(500) Days of Summer`` begin with a number that may belong to a list. It
    does if the numbers of its style increase by one from line to line, or stay the same; a single one does
    if it is 1 and no other line has a title.

    Args:
        markers: Bullet and number of each line.
        has_title: Whether the line names a title at all.
    """
    accepted = [bool(marker.style) and marker.sure for marker in markers]
    unsure: dict[str, list[int]] = {}
    for number, marker in enumerate(markers):
        if marker.style and not marker.sure:
            unsure.setdefault(marker.style, []).append(number)
    for style, numbers in unsure.items():
        runs = _runs_on(style, [markers[number].value or 0 for number in numbers])
        if len(numbers) == 1:
            others = sum(has_title) - has_title[numbers[0]]
            runs = runs and not others
        for number in numbers:
            accepted[number] = runs
    return accepted


def _runs_on(style: str, values: Sequence[int]) -> bool:
    """Whether the numbers of one style, in the order of their lines, look like those of a list."""
    if style.startswith("strict"):  # "A: Saw" or "*1* Saw", but not "Q: ..." nor "**300** ..."
        return len(values) > 1 and list(values) == list(range(1, len(values) + 1))
    if style == "bare":
        return list(values) == list(range(1, len(values) + 1)) and len(values) >= _LONG_RUN
    if len(values) == 1:
        alone = {"word_comma": 0, "bracket": _MOST_ALONE, "hash": _MOST_ALONE}
        return values[0] <= alone.get(style, 1)
    steady = {1} if style in {"roman", "letter", "word_comma"} else {0, 1}
    steps = [after - before for before, after in pairwise(values)]
    running = sum(step in steady or after == 1 for step, after in zip(steps, values[1:], strict=True))
    return 2 * running > len(steps)


def _style(number: re.Match[str], written: str) -> str:
    """Return the name of the style; unambiguous forms of an ambiguous style have a name of their own."""
    style = next(name for name in _STYLES if number[name] is not None)
    if style == "wrapped":
        return "strict wrapped"
    # A bracket is unambiguous if it is [1], or one of other scripts.
    if (style == "hash" and number["hash_end"].strip()) or (style == "bracket" and written[0] != "("):
        return "closed"
    if style == "letter":
        return _LETTER_STYLES.get(number["letter_end"], style)
    if style == "word" and number["word_end"] == ",":
        return "word_comma"
    return style


_LETTER_STYLES = {")": "closed_letter", "]": "closed_letter", ":": "strict letter"}
"""Styles of letters by what follows them."""


def _value(number: re.Match[str]) -> int | None:
    style = next(name for name in _STYLES if number[name] is not None)
    written = number[f"{style}_number"] if f"{style}_number" in number.groupdict() else number[style]
    return _READERS.get(style, int)(written)


_STYLES = (
    "keycap", "enclosed", "named", "wrapped", "hash", "ordinal", "closed", "dash", "bracket",
    "colon", "digit", "comma", "han", "word", "roman", "small_roman", "letter", "bare",
)  # fmt: skip


def _han(digits: str) -> int:
    if digits.isascii():
        return int(digits)
    tens, ten, ones = digits.partition("十")
    if not ten:
        return HAN[digits[0]]
    return 10 * HAN.get(tens[:1], 1) + HAN.get(ones[:1], 0)


def _roman(letters: str) -> int | None:
    values = [ROMAN[letter] for letter in letters]
    total = sum(-one if one < other else one for one, other in zip(values, [*values[1:], 0], strict=True))
    return total if total > 0 else None


def _behind_repeated(shadow: str, start: int, value: int) -> int:
    """Return where the title begins behind a number that a list writes twice, as in ``1. 1. Saw``."""
    again = NUMBER.match(shadow, start)
    repeated = again is not None and again["closed"] is not None and _value(again) == value
    return again.end() if again and repeated and _is_title_start(shadow, again.end()) else start


def _behind_emoji(shadow: str, start: int) -> int:
    """Return where the title begins after any emoji."""
    emoji = _EMOJI_RUN.match(shadow, start)
    return emoji.end() if emoji and _is_title_start(shadow, emoji.end()) else start


def _is_title_start(shadow: str, start: int) -> bool:
    """Whether the text from *start* on can be a title."""
    return any(map(str.isalnum, shadow[start : start + 40])) or bool(shadow[start:].strip(" *_"))


def _keycap(written: str) -> int:
    return int("".join(filter(str.isdigit, written)) or 10)  # 10 has a character of its own


_READERS: dict[str, Callable[[str], int | None]] = {
    "keycap": _keycap,
    "enclosed": lambda sign: int(unicodedata.numeric(sign[0])),
    "small_roman": lambda sign: int(unicodedata.numeric(sign)),
    "han": _han,
    "word": lambda word: WORDS[word.lower()],
    "roman": lambda letters: _roman(letters.lower()),
    "letter": lambda letter: ord(letter.casefold()[0]) - ord("a") + 1,
}
"""How the numbers of a style are read; all others are digits."""
