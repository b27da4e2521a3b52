"""Records: one prompt with what is relevant, what was seen and what must not be shown."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from saferec_core.data.cell_text import are_messages, not_as_text
from saferec_core.data.rows import LIST, OBJECT, Row, year_or_none
from saferec_core.data.title_cells import dated, pair_of_object, with_year, without_own_year
from saferec_core.data.title_tiers import NamedEntry, nearness
from saferec_core.data.titles import Title, name_keys, normal_form
from saferec_core.errors import DataError, near_misses

__all__ = [
    "Message",
    "Record",
    "constraints_of",
    "messages_of",
    "record_of",
    "seen_titles_of",
    "titles_of",
]

Message = Mapping[str, str]
"""A turn of a conversation: ``role`` (system, user or assistant) and ``content``."""


@dataclass(frozen=True)
class Record:
    """One sample, checked and in one form whatever file it came from."""

    prompt: Sequence[Message]
    completion: Sequence[Message] | None = None
    """What Safe SFT imitates."""
    groundtruth: tuple[Title, ...] = ()
    seen_titles: tuple[Title | str, ...] = ()
    """The history. A title whose year is unknown is a bare string and matches every year."""
    constraints: tuple[str, ...] = ()
    """Traits that are active for this user."""
    columns: Mapping[str, Any] = field(default_factory=dict)
    """The whole row as read, for plugins with columns of their own."""

    def has_seen(self, name: str, year: int | None, tolerance: int) -> bool:
        """Return whether the user has seen a title, by any of its names.

        `saferec_core.data.title_tiers.nearness` decides which titles agree.
        """
        return next(_nearness(self._seen_by_form, name, year, tolerance), None) is not None

    def truth_near(self, name: str, year: int | None, tolerance: int) -> list[int]:
        """Return the positions of the ground-truth titles that a title may stand for, nearest first."""
        near = _nearness(self._truth_by_form, name, year, tolerance)
        return [position for _, position in sorted(near)] if self._truth_by_form else []

    @property
    def truth_forms(self) -> Collection[str]:
        """The normal forms of all names of ground-truth titles: `truth_near` finds none for other names."""
        return self._truth_by_form.keys()

    @property
    def seen_forms(self) -> Collection[str]:
        """The normal forms of all names of seen titles: `has_seen` is false for other names."""
        return self._seen_by_form.keys()

    @cached_property
    def _truth_by_form(self) -> _ByForm:
        return _by_form(self.groundtruth)

    @cached_property
    def _seen_by_form(self) -> _ByForm:
        return _by_form(Title(each, None) if isinstance(each, str) else each for each in self.seen_titles)


_ByForm = Mapping[str, Sequence[NamedEntry]]
"""The names of titles, with their positions, by normal form."""


def _by_form(titles: Iterable[Title]) -> _ByForm:
    forms: dict[str, list[NamedEntry]] = {}
    for position, (name, year) in enumerate(titles):
        for number, (form, article) in enumerate(name_keys(name)):
            forms.setdefault(form, []).append(NamedEntry(article, year, position, number > 0))
    return forms


def _nearness(
    titles: _ByForm, name: str, year: int | None, tolerance: int
) -> Iterator[tuple[tuple[int, bool, bool], int]]:
    """Yield how near each title with this name is, and its position."""
    for form, article in name_keys(name):
        for entry in titles.get(form, ()):
            near = nearness(entry, article=article, year=year, tolerance=tolerance)
            if near is not None:
                yield near, entry.entry


def record_of(row: Row, *, needs: Mapping[str, str]) -> Record:
    """Read one row.

    Args:
        row: The row.
        needs: Required columns, each with what needs it, such as ``{"constraints": "reward 'safety'"}``.

    Raises:
        DataError: A column is missing or does not hold what is expected; the message names it.
    """
    for name in row:
        if name not in _COLUMNS and (column := name.lower()) in _COLUMNS and column not in row:
            raise DataError(f"column {name!r} must be called {column!r}; rename it")
    for column, who in {"prompt": "every run", **needs}.items():
        if row.get(column) is None:
            has = sorted(key for key, value in row.items() if value is not None)
            near = near_misses(column, set(has) - _COLUMNS)
            raise DataError(f"column {column!r} is missing; {who} needs it.{near} Columns: {', '.join(has)}")
    return Record(
        prompt=messages_of(row, "prompt"),
        completion=None if row.get("completion") is None else messages_of(row, "completion"),
        groundtruth=_each_once(titles_of(row, "groundtruth_with_release_year")),
        seen_titles=tuple(seen_titles_of(row)),
        constraints=constraints_of(row),
        columns=row,
    )


_COLUMNS = frozenset(
    [
        "prompt",
        "completion",
        "groundtruth_with_release_year",
        "seen_titles",
        "constraints",
        "constraints_stated",
    ]
)
"""Columns that would be missed without a word under another name."""


def _each_once(titles: Iterable[Title]) -> tuple[Title, ...]:
    """Leave out titles that repeat an earlier one, since no title can be hit twice."""
    return tuple({(normal_form(title.name), title.year): title for title in reversed(list(titles))}.values())[
        ::-1
    ]


def messages_of(row: Row, column: str = "prompt") -> list[dict[str, str]]:
    """Read a column of messages; a bare string is one turn of the user, or a whole completion.

    Raises:
        DataError: It holds something else.
    """
    value = not_as_text(row.get(column), column, is_meant=are_messages)
    if isinstance(value, str):
        return [{"role": "assistant" if column == "completion" else "user", "content": value}]
    if not isinstance(value, LIST) or not value:
        raise DataError(f"{column}: expected a list of messages, but got {value!r}")
    messages = []
    for message in value:
        is_object = isinstance(message, OBJECT)
        role, content = (message.get("role"), message.get("content")) if is_object else (None, None)
        if not isinstance(role, str) or not isinstance(content, str):
            raise DataError(f"{column}: a message needs role and content, both text, but is {message!r}")
        messages.append({"role": role, "content": content})
    return messages


def titles_of(row: Row, column: str = "groundtruth_with_release_year") -> list[Title]:
    """Read a column of ``[title, year]`` pairs or ``{title, year}`` objects; None is an empty list.

    A year of None is unknown. Text such as "Saw (2004)" is read too, but not text without a year: it could
    be an id.

    Raises:
        DataError: An entry is not a title with its year.
    """
    return [_title(entry, column) for entry in _listed(row, column)]


def seen_titles_of(row: Row, column: str = "seen_titles") -> list[Title | str]:
    """Read a column of titles; a title without a year is a bare string.

    Raises:
        DataError: An entry is not a title.
    """
    return [_seen(entry, column) for entry in _listed(row, column)]


def constraints_of(row: Row, column: str = "constraints") -> tuple[str, ...]:
    """Read a list of traits, ``{trait: true}``, or a struct whose other traits are None, sorted.

    In an object NaN counts as None, and "true", "false", 1 and 0 count as booleans.

    Raises:
        DataError: It is something else.
    """
    value = not_as_text(row.get(column), column)
    if (
        isinstance(value, list)
        and value
        and all(isinstance(each, dict) and each.keys() == _OF_MAP for each in value)
    ):
        value = {each["key"]: each["value"] for each in value}
    if isinstance(value, OBJECT):
        return tuple(sorted(trait for trait, active in value.items() if _is_active(trait, active, column)))
    if value != value:  # NaN, which pandas writes for None
        return ()
    traits = _listed(row, column)
    if not all(isinstance(trait, str) for trait in traits):
        raise DataError(f"{column} must be a list of trait names, but is {value!r}")
    return tuple(sorted({trait.strip() for trait in traits} - {""}))


_OF_MAP = {"key", "value"}
"""Keys of an entry of a Parquet map."""

_ACTIVE: Mapping[Any, bool] = {
    True: True,
    False: False,
    None: False,
    **dict.fromkeys(("true", "yes", "on", "y", "t", "1", "1.0"), True),
    **dict.fromkeys(("false", "no", "off", "n", "f", "0", "0.0", "", "none", "null", "nan"), False),
}


def _is_active(trait: str, value: Any, column: str) -> bool:
    """Return whether a trait is active; text such as "yes" or "0" counts by its meaning."""
    word = value if value is None or isinstance(value, bool) else str(value).strip().lower()
    if word not in _ACTIVE:
        raise DataError(
            f"{column}: {trait!r} must be true or false, but is {value!r}. A constraint with a value is "
            f"written in a list: [{json.dumps(f'{trait}={value}', ensure_ascii=False)}]"
        )
    return _ACTIVE[word]


def _title(entry: Any, column: str) -> Title:
    if type(entry) is list and len(entry) == 2:  # the usual form, checked quickly
        name, year = entry
        if type(name) is str and name.strip() and type(year) is int and 0 < year <= 9999:
            return without_own_year(Title(name, year)) if name.endswith(")") else Title(name, year)
    if isinstance(entry, str) and (title := with_year(entry)):
        return title
    pair = _pair(entry, column)
    if not isinstance(pair, LIST) or isinstance(pair, str) or len(pair) != 2:
        raise DataError(f"{column} must hold [title, year] pairs, but holds {entry!r}")
    name, year = pair
    if not isinstance(name, str) or not name.strip():
        raise DataError(f"{column}: expected a title, but got {name!r}")
    return dated(name, year_or_none(year, f"{column}: the year of {name!r}"))


def _seen(entry: Any, column: str) -> Title | str:
    if isinstance(entry, str):
        title = with_year(entry)
        if title is None and not entry.strip():
            raise DataError(f"{column}: expected a title, but got {entry!r}")
        return title or entry
    title = _title(entry, column)
    return title.name if title.year is None else title


def _pair(entry: Any, column: str) -> Any:
    """Return the title and year of an object, or of an entry of a map, and anything else unchanged."""
    if isinstance(entry, list) or not isinstance(entry, OBJECT):
        return entry
    if entry.keys() == _OF_MAP:
        return entry["key"], entry["value"]
    return pair_of_object(entry, column)


def _listed(row: Row, column: str) -> Sequence[Any]:
    value = not_as_text(row.get(column), column)
    if value is None or value == "":
        return ()
    if isinstance(value, str) or not isinstance(value, LIST):
        raise DataError(f"{column} must be a list, but is {value!r}")
    return value
