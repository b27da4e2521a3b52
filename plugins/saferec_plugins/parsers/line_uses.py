"""What each line is to the list, decided by nothing but the forms of all lines: many lists have the same.

If lines are numbered or bulleted, the others are prose; what counts from 1 again is another list, unless it
is a section of the first with a heading of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from functools import lru_cache

from saferec_plugins.parsers.readings import BULLETED, NUMBERED, UNMARKED, Form

__all__ = ["LONGEST", "Use", "all_take_ranks", "uses_of"]

_NESTED = {BULLETED: 2, NUMBERED: 3}
"""Indentation, in columns, of a line that belongs to a line above."""

LONGEST = 200
"""Lines of a list whose form is remembered."""

_Level = tuple[int, int]
"""The kind of a line, and whether it is nested below others."""


class Use(Enum):
    """What a line is to the list."""

    RANKS = auto()
    """It takes the next ranks."""
    YEAR = auto()
    """It is the year of the title before."""
    TRUNCATED = auto()
    OTHER = auto()
    """It does not belong to the list."""
    END = auto()
    """From here on, nothing does: another list begins."""


@lru_cache(maxsize=1 << 12)
def all_take_ranks(forms: tuple[Form, ...]) -> bool:
    """Whether every line of a list takes the next ranks, by the forms of its lines."""
    uses = _uses(forms, False)
    return len(uses) == len(forms) and {*uses} == {Use.RANKS}


def uses_of(forms: Sequence[Form], cut_off: bool) -> Sequence[Use]:
    """Decide what each line is to the list; `_uses`, remembered for lists that are not very long."""
    return (_uses if len(forms) <= LONGEST else _uses.__wrapped__)(tuple(forms), cut_off)


@lru_cache(maxsize=1 << 12)
def _uses(forms: tuple[Form, ...], cut_off: bool) -> Sequence[Use]:
    """Decide what each line is to the list, by nothing but the forms of the lines: many lists have the same.

    Args:
        forms: The forms of the lines.
        cut_off: Whether the completion ends within the last one.

    Returns:
        The use of each line, up to the end of the list.
    """
    levels = _levels(forms)
    main = _main_level(forms, levels)
    uses: list[Use] = []
    last = 0
    falling: bool | None = None
    """Whether the numbers so far count down, as in ``3.``, ``2.``, ``1.``; None: there is one at most."""
    lacks_year = False
    sections: list[str] = []
    """Names of the list's sections, if the first one has a name; each may count from 1."""
    for number, (form, level) in enumerate(zip(forms, levels, strict=True)):
        if number and level == main and form.value == 1:
            above = forms[number - 1]
            is_nested = level[1] > 0 and above.kind != UNMARKED and above.indent < form.indent
            is_section = above.section not in {"", *sections} and bool(sections or not last)
            if is_section:
                sections.append(above.section)
            if is_nested or is_section:
                last, falling = 0, None
        if form.year_only and lacks_year:
            uses.append(Use.YEAR)
            lacks_year = False
        elif cut_off and number == len(forms) - 1:
            uses.append(Use.TRUNCATED)
        elif not _belongs(form, level, main):
            uses.append(Use.OTHER)
        elif level == main and form.value is not None and _begins_anew(form.value, last, falling=falling):
            uses.append(Use.END)
            break
        else:
            uses.append(Use.RANKS)
            lacks_year = not form.dated
            if level == main and form.value is not None:
                falling = form.value == last - 1 if last and falling is not False else falling
                last = form.value
    return tuple(uses)


def _begins_anew(value: int, last: int, *, falling: bool | None) -> bool:
    """Whether a number begins another list behind *last* (0: none)."""
    if falling and last == 1:
        return True
    counts_down = falling is not False and last == 2
    return value == 1 and last > 1 and not counts_down


def _levels(forms: Sequence[Form]) -> list[_Level]:
    """Distinguish the lines of a list from those nested below them by their indentation."""
    least = min((form.indent for form in forms if form.kind != UNMARKED), default=0)
    return [
        (form.kind, int(form.kind != UNMARKED and form.indent - least >= _NESTED[form.kind]))
        for form in forms
    ]


def _main_level(forms: Sequence[Form], levels: Sequence[_Level]) -> _Level:
    """Return the kind of lines that are the list: the outermost that names titles."""
    known: dict[_Level, int] = {}
    for form, level in zip(forms, levels, strict=True):
        if form.names and not form.prose:
            known[level] = known.get(level, 0) + form.known
    if not known:  # numbered lines keep their ranks though all of them are prose
        numbered = (level for form, level in zip(forms, levels, strict=True) if form.keeps_rank)
        known = dict.fromkeys(numbered, 0)
    marked = {level: count for level, count in known.items() if level[0] != UNMARKED}
    if not marked:
        return UNMARKED, 0
    outermost = sorted(marked, key=lambda level: (level[1], -level[0]))
    most = max(marked.values())
    main = next(level for level in outermost if 2 * marked[level] >= most)
    unmarked = sum(form.dated for form in forms if form.kind == UNMARKED and not form.prose)
    return (UNMARKED, 0) if unmarked > most else main


def _belongs(form: Form, level: _Level, main: _Level) -> bool:
    """Whether a line is one of the list's."""
    if form.prose and not (form.kind == NUMBERED and level == main and not form.announces):
        return False
    if level == main:
        return form.kind != UNMARKED or form.known
    if main[0] == UNMARKED:
        return form.dated
    attribute = form.attribute and not form.labeled
    return form.kind != UNMARKED and level[1] <= main[1] and form.dated and not attribute
