"""Lists that some other system made: a file of predictions, matched to the held-out records."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from saferec_core.data.catalog import Catalog
from saferec_core.data.cell_text import not_as_text
from saferec_core.data.records import Record, messages_of
from saferec_core.data.rows import Row, row_name, try_rows, year_or_none
from saferec_core.data.title_cells import dated, pair_of_object
from saferec_core.data.titles import Title
from saferec_core.errors import DataError
from saferec_core.evaluation.evaluator import WrittenList
from saferec_core.models.completions import Completion, is_cut_off
from saferec_core.plugins.contracts.parser import ListParser, ParsedItem, ParsedList

__all__ = ["answer_of_titles", "read_predictions", "title_of"]

_SHOWN = 5
"""Problems of one kind that a message spells out."""


def read_predictions(
    path: Path,
    records: Mapping[int, Record],
    used: Mapping[int, Record],
    parser: ListParser,
    catalog: Catalog,
) -> list[list[WrittenList]]:
    """Read a file of predictions: any file of rows, a list each.

    A row names its record by ``id`` (the value of the records' column ``id``) or by ``position`` (from 0, in
    the order of the split). Its list is ``completion``, a text that the parser reads; or ``titles`` in rank
    order: texts such as ``"Saw (2004)"``, ``[title, year]`` pairs or ``{title, year}`` objects; or ``items``,
    ids of the catalog's titles. With ``scores``, a number for each title, titles are put in the order of
    falling scores. A completion whose ``finish_reason`` is ``length`` may end within a title, which then does
    not count. Several lists of one record are numbered by ``sample``, from 0. Tables hold lists as JSON text.

    Args:
        path: The file.
        records: All records of the split, by position.
        used: Those of them that are evaluated; lists of others are checked and left out.
        parser: Reads completions.
        catalog: Its titles are named by their ids.

    Returns:
        The lists of each record of *used*, in its order.

    Raises:
        DataError: The file cannot be read, or a row is wrong, repeated or missing. One message names all.
    """
    titles_by_id: dict[str, Title | None] = {}
    for position, identifier in catalog.ids.items():
        title = catalog.titles[position]
        titles_by_id[identifier] = title if titles_by_id.get(identifier, title) == title else None
    reading = _Reading(_positions_by_id(records), records.keys(), parser, titles_by_id)
    name = row_name(path) if path.exists() else "row"
    for number, row in try_rows(path):
        reading.take(row, f"{name} {number}")
    if not reading.rows and not reading.problems:
        raise DataError(f"{path} holds no predictions; expected a row for each held-out record")
    reading.check_complete(used)
    if reading.problems:
        raise DataError(_several([f"{path}: {problem}" for problem in reading.shown()]))
    return [[reading.answers[position, sample] for sample in range(reading.samples)] for position in used]


def answer_of_titles(titles: Sequence[Title]) -> WrittenList:
    """Return a list that was never text as if it had been written, one title per line, and read back."""
    lines = [title.name if title.year is None else f"{title.name} ({title.year})" for title in titles]
    items, start = [], 0
    for title, line in zip(titles, lines, strict=True):
        end = start + len(line)
        items.append(ParsedItem(title.name, title.year, start, end + 1, end))
        start = end + 1
    return WrittenList(Completion("\n".join(lines), finished=True), ParsedList(tuple(items)))


@dataclass
class _Reading:
    """What was read so far, and what was wrong with it."""

    by_id: Mapping[str, int | None]
    positions: Any
    parser: ListParser
    titles_by_id: Mapping[str, Title | None]
    """None for an id that several titles have."""
    answers: dict[tuple[int, int], WrittenList] = field(default_factory=dict)
    problems: dict[str, list[str]] = field(default_factory=dict)
    """Where each kind of problem occurred."""
    named: set[int] = field(default_factory=set)
    """Positions of records that a row names, be its list readable or not."""
    rows: int = 0

    @property
    def samples(self) -> int:
        """Lists per record."""
        return 1 + max((sample for _, sample in self.answers), default=0)

    def take(self, row: Row | DataError, where: str) -> None:
        """Take one row; what is wrong with it is noted."""
        self.rows += 1
        try:
            self._read(row)
        except DataError as error:
            kind, _, detail = str(error).partition(": ")
            self._note(kind, f"{detail} ({where})" if detail else where)

    def _read(self, row: Row | DataError) -> None:
        if isinstance(row, DataError):
            raise row
        position = self._position(row)
        self.named.add(position)
        key = position, _whole(row["sample"] if _is_given(row, "sample") else 0, "sample")
        if key in self.answers:
            named = f"id {row['id']!r}" if _is_given(row, "id") else f"position {key[0]}"
            raise DataError(f"a record has two lists; number them by 'sample': {named}")
        self.answers[key] = self._answer(row)

    def check_complete(self, used: Mapping[int, Record]) -> None:
        """Note the records that lack a list."""
        if self.problems and not self.named:
            return  # no row names any record, which is the one problem
        lacking = [position for position in used if position not in self.named]
        records = "1 record has" if len(lacking) == 1 else f"{len(lacking):,} records have"
        for position in lacking:
            self._note(f"{records} no list; an empty one is written as titles = []", f"position {position}")
        if not self.problems:
            counts = Counter(position for position, _ in self.answers)
            for position in (position for position in used if counts[position] < self.samples):
                self._note(f"records have fewer than {self.samples} samples", f"position {position}")

    def shown(self) -> list[str]:
        """Return a line for each kind of problem, with the first places where it occurred."""
        lines = []
        for kind, places in self.problems.items():
            more = f" and {len(places) - _SHOWN:,} more" if len(places) > _SHOWN else ""
            lines.append(f"{kind}: {', '.join(places[:_SHOWN])}{more}")
        return lines

    def _note(self, kind: str, where: str) -> None:
        self.problems.setdefault(kind, []).append(where)

    def _position(self, row: Row) -> int:
        if _is_given(row, "id"):
            name = _identifier(row["id"])
            if name not in self.by_id:
                raise DataError(f"no held-out record has the id: {name!r}")
            position = self.by_id[name]
            if position is None:
                raise DataError(f"several held-out records have the id; name them by 'position': {name!r}")
            return position
        if not _is_given(row, "position"):
            raise DataError(f"a row must name its record by 'id' or 'position', but has {_columns(row)}")
        position = _whole(row["position"], "position")
        if position not in self.positions:
            last = max(self.positions, default=-1)
            raise DataError(f"no held-out record has the position (0 to {last}): {position}")
        return position

    def _answer(self, row: Row) -> WrittenList:
        given = [name for name in ("completion", "titles", "items") if _is_given(row, name)]
        if len(given) > 1 or (not given and row.get("completion") != ""):
            raise DataError(
                "a row must hold a whole list, in one of 'completion', 'titles' and 'items', but has "
                f"{_columns(row)}"
            )
        if given in (["titles"], ["items"]):
            value = not_as_text(row[given[0]], given[0])
            listed = _titles(value) if given == ["titles"] else self._titles_of(value)
            scores = not_as_text(row["scores"], "scores") if _is_given(row, "scores") else None
            return answer_of_titles(_ordered(listed, scores))
        completion = row["completion"]
        if isinstance(completion, list):
            completion = "\n".join(message["content"] for message in messages_of(row, "completion"))
        if not isinstance(completion, str):
            raise DataError(f"'completion' must be text: {completion!r:.60}")
        finished = not is_cut_off(row.get("finish_reason"))
        return WrittenList(
            Completion(completion, finished=finished), self.parser(completion, finished=finished)
        )

    def _titles_of(self, items: Any) -> list[Title]:
        """Return the catalog's titles with these ids."""
        if not isinstance(items, list | tuple):
            raise DataError(f"'items' must be a list of ids: {items!r:.60}")
        if not self.titles_by_id:
            raise DataError("'items' are ids, but the catalog has no column 'id'")
        titles = []
        for item in items:
            if _identifier(item) not in self.titles_by_id:
                raise DataError(f"the catalog has no title with the id: {item!r:.60}")
            title = self.titles_by_id[_identifier(item)]
            if title is None:
                raise DataError(f"several titles of the catalog have the id: {item!r:.60}")
            titles.append(title)
        return titles


def _several(problems: Sequence[str]) -> str:
    if len(problems) == 1:
        return problems[0]
    return "\n".join(
        [f"{len(problems)} problems in the predictions", *(f"  {problem}" for problem in problems)]
    )


def _positions_by_id(records: Mapping[int, Record]) -> dict[str, int | None]:
    """Return the position of each id; None for one that several records have."""
    by_id: dict[str, int | None] = {}
    for position, record in records.items():
        if (name := record.columns.get("id")) is not None:
            identifier = _identifier(name)
            by_id[identifier] = None if identifier in by_id else position
    return by_id


def _columns(row: Row) -> str:
    return ", ".join(repr(name) for name in row if _is_given(row, name)) or "no values"


def _is_given(row: Row, column: str) -> bool:
    """Whether a cell is not blank; tables have no null."""
    return row.get(column) not in (None, "")


def _identifier(value: Any) -> str:
    """Return an id as text, also one that pandas made a fraction."""
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)


def _titles(value: Any) -> list[Title]:
    if not isinstance(value, list | tuple):
        raise DataError(f"'titles' must be a list, in a table as JSON text: {value!r:.60}")
    return [title_of(entry) for entry in value]


def title_of(entry: Any) -> Title:
    """Read a title: a text such as ``"Saw (2004)"``, a ``[title, year]`` pair, or an object with both.

    Raises:
        DataError: It is something else.
    """
    pair = pair_of_object(entry, "'titles'") if isinstance(entry, Mapping) else entry
    name, year = (pair, None) if isinstance(pair, str) else pair if _is_pair(pair) else (None, None)
    if isinstance(name, str) and name.strip():
        return dated(name.strip(), year_or_none(year, f"the year of {name!r}"))
    raise DataError(
        f"a title must be text, a [title, year] pair or an object with title and year: {entry!r:.60}"
    )


def _is_pair(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2


def _ordered(titles: list[Title], scores: Any) -> list[Title]:
    if scores is None:
        return titles
    numbers = isinstance(scores, list | tuple) and all(
        isinstance(score, int | float) and not isinstance(score, bool) and math.isfinite(score)
        for score in scores
    )
    if not numbers or len(scores) != len(titles):
        raise DataError(f"'scores' must be a list of finite numbers, one for each title: {scores!r:.60}")
    ranked = sorted(zip((-score for score in scores), count(), titles, strict=False))
    return [title for _, _, title in ranked]


def _whole(value: Any, what: str) -> int:
    """Read a whole number; tables hold it as text, and pandas as a fraction."""
    if isinstance(value, str | float):
        with suppress(ValueError):
            value = int(number) if (number := float(value)).is_integer() else value
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise DataError(f"{what!r} must be a whole number of at least 0: {value!r:.60}")
    return value
