"""Lists with one title and its year on every line, read from what is remembered of each line.

Nearly every list that a trained policy writes is one of them, and its lines come over and over. What such a
line says does not depend on the lines around it, so a list is put together from its lines without another
look at the text. All other lists are left to `saferec_plugins.parsers.listing`, which reads these in the same
way (the tests hold one against the other).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from saferec_core.plugins.contracts.parser import TitleLine
from saferec_plugins.parsers.labels import gives_advice
from saferec_plugins.parsers.line_uses import LONGEST, all_take_ranks
from saferec_plugins.parsers.naming import Naming
from saferec_plugins.parsers.prose import is_prose
from saferec_plugins.parsers.readings import Form, written_lines
from saferec_plugins.parsers.sections import may_bound_section
from saferec_plugins.parsers.years import year_alone

__all__ = ["PlainLists"]

_REMEMBERED = 1 << 16
"""Lines that are remembered before all are forgotten."""

_LONGEST_LINE = 300
"""Characters of a line that is remembered."""

COMMON = re.compile(
    r"""
    (?:(?P<number>[1-9][0-9]?)\.\ )?
    (?P<name>[A-Z][A-Za-z]*(?:['-][A-Za-z]+)*
      (?:\ (?!(?i:by|starring|directed)\ )(?:[A-Za-z]+(?:['-][A-Za-z]+)*|[0-9]{1,3}))*)
    \ \((?P<year>(?:1[89]|20)[0-9]{2})\)
    \n?
    """,
    re.VERBOSE,
)


class PlainLine(NamedTuple):
    """A line that names one title with its year, and whatever stands around it."""

    line: TitleLine
    style: str
    """Style of a number that the line begins with and that is the title's own if no other line has one."""
    form: Form


class PlainLists:
    """Reads plain lists, and remembers their lines."""

    def __init__(self, naming: Naming) -> None:
        """Remember nothing yet.

        Args:
            naming: Decides which title a line means; the same for all lists.
        """
        self._naming = naming
        self._lines: dict[str, PlainLine | Literal[False]] = {}
        """What is remembered of lines, False of those that are not plain."""

    def __reduce__(self) -> tuple[Any, ...]:
        return PlainLists, (self._naming,)

    def read(self, text: str) -> Sequence[TitleLine] | None:
        """Return the lines of a completion that is nothing but a list of plain lines; None if it is not."""
        raw_lines = text.splitlines(keepends=True)
        if not 0 < len(raw_lines) <= LONGEST:
            return None
        plain = list(map(self._lines.get, raw_lines))
        if not all(plain):
            if False in plain or not all(map(self._line, raw_lines)):
                return None  # at the first line that is not plain; what follows may be reasoning
            plain = list(map(self._line, raw_lines))
        lines, styles, forms = zip(*plain, strict=True)
        return lines if all_take_ranks(forms) and _are_alone(styles) else None

    def _line(self, raw: str) -> PlainLine | Literal[False]:
        if len(raw) > _LONGEST_LINE:
            return False
        if (line := self._lines.get(raw)) is None:
            line = _common(raw) or _plain(raw, self._naming)
            if len(self._lines) >= _REMEMBERED:
                self._lines.clear()
            self._lines[raw] = line
        return line


def _are_alone(styles: Sequence[str]) -> bool:
    """Whether no two lines begin with doubtful numbers of one style, which might count the lines."""
    if not any(styles):
        return True
    doubtful = list(filter(None, styles))
    return len(styles) > 1 and len(doubtful) == len({*doubtful})


def _common(raw: str) -> PlainLine | None:
    """Read ``Title (Year)`` or ``1. Title (Year)`` in words of letters; None if it is anything else.

    Most lines are read by this one pattern; it leaves out what needs a closer look.
    """
    match = COMMON.fullmatch(raw)
    if match is None or year_alone(raw) is not None:
        return None
    name, begin = match["name"], match.start("name")
    if gives_advice(name) or is_prose(raw[begin:].removesuffix("\n"), ""):
        return None
    length = match.end("year") + 1
    line = TitleLine(name, int(match["year"]), length, len(raw))
    return PlainLine(line, "", _common_form(match["number"]))


@lru_cache(maxsize=128)
def _common_form(number: str | None) -> Form:
    """Return the form that common lines with this number have."""
    written = "Heat (1995)" if number is None else f"{number}. Heat (1995)"
    line = _plain(written, Naming(None, complete=False))
    assert line, "it is plain"
    return line.form


def _plain(raw: str, naming: Naming) -> PlainLine | Literal[False]:
    """Read a line as in any list, and return what is the same in each of them; False if that is not all."""
    if may_bound_section(raw) or "{" in raw:
        return False
    ((begin, written), *others) = written_lines(raw) or [(0, None)]
    if written is None or others or begin or not written.is_ordinary:
        return False
    reading = written.reading(numbered=written.is_numbered, avoiding=False)
    if reading.prose or reading.avoiding or len(reading.entries) != 1 or reading.has_further_titles:
        return False
    (rank,) = reading.ranks
    item = naming.item(rank)
    if item.further:
        return False
    style = written.marker.style if written.may_be_numbered else ""
    return PlainLine(TitleLine(item.name, item.year, item.text_end, item.end), style, reading.form)
