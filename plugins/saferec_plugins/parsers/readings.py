"""What a line says by itself, whatever list it stands in: read once, and remembered.

A policy writes the same lines over and over. What is read from a line depends on the lines around it in
two ways only: whether the number in front belongs to the list, and whether a heading has announced titles
to avoid.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial

from saferec_core.data.titles import Title
from saferec_plugins.parsers.decoration import label_end, undecorated
from saferec_plugins.parsers.entries import Entry, bare_names, dated_entries
from saferec_plugins.parsers.enumeration import read_marker
from saferec_plugins.parsers.lines import Line, lines_of
from saferec_plugins.parsers.prose import announces, excludes, is_prose, looks_like_title, section_name
from saferec_plugins.parsers.remembered import remembered
from saferec_plugins.parsers.tables import Row, header_columns, is_rule, read_row
from saferec_plugins.parsers.years import bracketed_years, year_alone

__all__ = ["BULLETED", "NUMBERED", "UNMARKED", "Form", "Rank", "Reading", "WrittenLine", "written_lines"]

UNMARKED, BULLETED, NUMBERED = range(3)

LONE_NUMBER = re.compile(r"[\s*_#(\[]*[0-9]{1,3}[.)\]:]*[\s*_]*")
ANY_YEAR = re.compile(r"(?:1[89]|20)[0-9]{2}")
_OPENING_BAR = re.compile(r"\|\s*(?=\S)")
FENCE = re.compile(r"\s*(?:```|~~~|---|===|\\(?:begin|end)\b)")
ATTRIBUTE = re.compile(r"\s*(?:[-*+•]\s+)?[*_\"']*[A-Za-z][A-Za-z _]{1,24}[*_\"']*\s?:\s*[*_\"']*\S")


@dataclass(frozen=True, slots=True)
class Rank:
    """One rank of the list, before the catalog is consulted; positions count from the start of its line."""

    start: int
    end: int
    text_end: int
    readings: Sequence[Title] = ()
    """Possible titles with their year, the most likely first; empty without a year."""
    bare: Sequence[str | Title] = ()
    """Possible titles of a line without a year."""
    further: tuple[Title, ...] = ()
    mention: Title | None = None
    """What a remark in front of the year names, unless all the words are one title."""
    labeled: Sequence[Title] = ()
    """Possible titles without a label or a remark."""


@dataclass(frozen=True, eq=False)
class Form:
    """What a line contributes to the decision which lines are the list; equal ones are one object."""

    kind: int
    """Unmarked, bulleted or numbered."""
    value: int | None
    """Its number in the list."""
    indent: int
    """How far it is indented."""
    names: bool
    """Whether it may name a title."""
    dated: bool
    """Whether it names one with its year."""
    known: bool
    """Whether it certainly names one: with a year, or of the catalog."""
    year_only: bool
    """Whether it is nothing but a year."""
    prose: bool
    labeled: bool
    attribute: bool
    """Whether it looks like an attribute of a title above, such as ``Genre: Drama``."""
    announces: bool
    """Whether it introduces the following lines."""
    keeps_rank: bool
    """Whether it is numbered and names a title, recommended or not, that no line above says to avoid."""
    section: str
    """The name of the section that it begins, as in ``### Thrillers``; empty if it begins none."""


_form = lru_cache(maxsize=1 << 12)(Form)


@dataclass(frozen=True)
class Reading:
    """What is read from a line."""

    line: Line
    kind: int
    value: int | None = None
    indent: int = 0
    labeled: bool = False
    prose: bool = False
    avoiding: bool = False
    """Whether the following lines list titles to avoid."""
    year_only: int | None = None
    entries: tuple[Entry, ...] = ()
    bare: tuple[str | Title, ...] = ()
    label: str = ""
    """What stands before the colon, if it is prose for looking like an attribute (``Genre: Drama``)."""

    @cached_property
    def form(self) -> Form:
        """Its form, if the catalog does not have a title that is named without a year."""
        return self._form(known=bool(self.entries))

    @cached_property
    def form_if_known(self) -> Form:
        """Its form, if the catalog has it."""
        return self._form(known=True)

    @cached_property
    def is_open(self) -> bool:
        """Whether it depends on the catalog which of the two it is."""
        return bool(self.bare) and not self.prose and not self.entries

    @cached_property
    def ranks(self) -> tuple[Rank, ...]:
        """The ranks that it takes if it is one of the list's: one for each of its titles."""
        return tuple(self._ranks())

    @cached_property
    def has_further_titles(self) -> bool:
        """Whether it names more than one title."""
        return len(self.ranks) > 1 or bool(self.ranks[-1].further or self.ranks[-1].mention)

    def _form(self, *, known: bool) -> Form:
        shadow = self.line.shadow
        return _form(
            kind=self.kind,
            value=self.value if self.kind == NUMBERED else None,
            indent=self.indent,
            names=bool(self.entries or self.bare),
            dated=bool(self.entries),
            known=known,
            year_only=self.year_only is not None,
            prose=self.prose,
            labeled=self.labeled,
            attribute=ATTRIBUTE.match(shadow) is not None,
            announces=announces(shadow),
            keeps_rank=self.kind == NUMBERED and bool(self.entries) and not self.avoiding,
            section="" if self.entries else section_name(shadow),
        )

    def _ranks(self) -> Iterator[Rank]:
        line = self.line
        if not self.entries or self.prose:
            yield Rank(0, line.size, line.length, bare=() if self.prose else self.bare)
            return
        for number, entry in enumerate(self.entries):
            start = 0 if number == 0 else line.position(entry.start)
            if number == len(self.entries) - 1:
                end, text_end = line.size, line.length
            else:
                text_end = line.position(entry.end)
                end = max(text_end, line.position(self.entries[number + 1].start))
            yield Rank(start, end, text_end, entry.readings, (), entry.further, entry.mention, entry.labeled)


class WrittenLine:
    """A line with all that it says by itself."""

    def __init__(self, line: Line) -> None:
        """Look at *line*."""
        shadow = line.shadow
        self.line = line
        self.marker = read_marker(shadow, line.text)
        """Its bullet and number."""
        self.is_numbered = bool(self.marker.style) and self.marker.sure
        """Whether its number is one of a list, whatever the other lines are."""
        self.may_be_numbered = bool(self.marker.style) and not self.marker.sure
        """Whether the other lines decide that."""
        self.is_heading = self.marker.bullet == "heading" and shadow.lstrip().startswith("#")
        """Whether it is a heading, as Markdown has them."""
        self.has_year = ANY_YEAR.search(shadow) is not None
        self.header = None if self.has_year else header_columns(shadow)
        """The columns of the table that it may be the header of."""
        self.separates = is_rule(shadow) or FENCE.match(shadow) is not None
        """Whether it is a rule or a fence."""
        self.is_lone_number = LONE_NUMBER.fullmatch(shadow) is not None
        """Whether it is nothing but a number, whose title may stand on the next line."""
        self.row = read_row(shadow, None)
        """The cells of a row of a table without a header."""
        self.is_ordinary = not (self.header or self.separates or self.is_lone_number or self.row)
        """Whether it is none of these."""
        self._readings: dict[tuple[bool, bool], Reading] = {}

    def reading(self, *, numbered: bool, avoiding: bool) -> Reading:
        """Read it as a line of text.

        Args:
            numbered: Whether its number is one of the list.
            avoiding: Whether a line before has announced titles to avoid.
        """
        around = numbered, avoiding
        if around not in self._readings:
            self._readings[around] = _reading(self, numbered=numbered, avoiding=avoiding)
        return self._readings[around]

    def as_row(self, row: Row, *, avoiding: bool = False) -> Reading:
        """Read it as a row of a table; *avoiding* as in `reading`."""
        start, end = row.title
        text, shadow = self.line.text[:end], self.line.shadow[:end]
        marker = read_marker(shadow[start:], text[start:])
        numbered = not row.numbered and bool(marker.style) and marker.sure  # "| 1. Saw | 2004 |"
        opened = marker.opened if numbered else ""
        start += marker.end if numbered else 0
        whole = undecorated(opened + text[start:], "")
        if row.year is not None and whole and next(bracketed_years(shadow, start), None) is None:
            entries: tuple[Entry, ...] = (Entry((Title(whole, row.year),), start, end),)
        else:
            entries = dated_entries(text, shadow, start, opened, strict=False)
        bare = () if entries else tuple(bare_names(text, shadow, start, opened))
        return Reading(
            self.line,
            NUMBERED if row.numbered or numbered else BULLETED,
            marker.value if numbered else None,
            indent=self.marker.indent,
            prose=avoiding or (not entries and not bare),
            avoiding=avoiding,
            entries=entries,
            bare=bare,
        )

    def as_other(self) -> Reading:
        """Read it as what names no title."""
        return Reading(self.line, UNMARKED, self.marker.value, self.marker.indent, prose=True)


@remembered
def written_lines(raw: str) -> tuple[tuple[int, WrittenLine], ...]:
    """Return the lines of a raw line that are not blank, and where each begins in it."""
    return tuple((begin, WrittenLine(line)) for begin, line in lines_of(raw))


def _reading(written: WrittenLine, *, numbered: bool, avoiding: bool) -> Reading:
    line, marker = written.line, written.marker
    text, shadow = line.text, line.shadow
    begin, opened = (marker.end, marker.opened) if numbered else (marker.unnumbered, "")
    if bar := _OPENING_BAR.match(shadow, begin):  # a row with a title in each cell
        begin = bar.end()
    body = shadow[begin:]
    labeled = label_end(body) > 0
    kind = NUMBERED if numbered else BULLETED if marker.bullet == "bullet" or labeled else UNMARKED
    read = partial(Reading, line, kind, marker.value, marker.indent, labeled)
    if announces(shadow):
        return read(prose=True, avoiding=excludes(body))
    year_only = year_alone(shadow[marker.unnumbered :])
    if year_only is not None and kind != NUMBERED:
        return read(prose=False, avoiding=avoiding, year_only=year_only)
    entries = dated_entries(text, shadow, begin, opened, strict=kind == UNMARKED)
    if entries:
        first = entries[0]
        year_at = max(begin, first.start)
        name_end = first.end if first.remark is None else first.remark
        prose = avoiding or is_prose(text[year_at:name_end], text[name_end : first.end + 200])
        return read(prose=prose, avoiding=avoiding, entries=entries)
    bare = tuple(bare_names(text, shadow, begin, opened))
    if kind != NUMBERED and (marker.bullet == "heading" or (kind == UNMARKED and excludes(body))):
        return read(prose=True, avoiding=excludes(body), bare=bare)
    attribute = kind != NUMBERED and not labeled and ATTRIBUTE.match(body) is not None
    sentence = not any(isinstance(name, str) and looks_like_title(name) for name in bare[:1])
    prose = avoiding or attribute or (sentence and kind != NUMBERED)
    if kind == NUMBERED and any(isinstance(name, str) and is_prose(f"{name} ", "") for name in bare):
        bare = ()  # its rank recommends nothing
    label = body.partition(":")[0].strip(" \"'*_") if attribute and not (avoiding or excludes(body)) else ""
    return read(prose=prose, avoiding=avoiding, bare=bare, label=label)
