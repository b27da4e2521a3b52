"""Records: one prompt with what is relevant, what was seen and what must not be shown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Protocol

from saferec_core.errors import DataError, PluginError, SaferecError
from saferec_core.lists import Title
from saferec_core.rows import read_rows, whole_year
from saferec_core.titles import normal_form

__all__ = ["Message", "Record", "Transform", "read_records"]

Message = Mapping[str, str]
"""A turn of a conversation: ``role`` (system, user or assistant) and ``content``."""

_TITLE_WITH_YEAR = re.compile(r"^(.*\S)\s*\((\d{4})\)$")


class Transform(Protocol):
    """Turns records into records before a run reads them."""

    columns: ClassVar[tuple[str, ...]]
    """Columns that every record must have for this transform."""

    def __call__(self, rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Yield the transformed records; leave records out by not yielding them."""
        ...


@dataclass(frozen=True)
class Record:
    """One sample, checked and in one form whatever file it came from."""

    prompt: Sequence[Message]
    completion: Sequence[Message] | None = None
    """What Safe SFT imitates."""
    groundtruth: tuple[Title, ...] = ()
    seen_titles: tuple[Title | str, ...] = ()
    """The history; a bare string where the year is not known, which then matches every year."""
    constraints: tuple[str, ...] = ()
    """Traits that are active for this user."""
    columns: Mapping[str, Any] = field(default_factory=dict)
    """The whole row as read, for plugins with columns of their own."""

    @cached_property
    def truth_years(self) -> Mapping[str, Sequence[int]]:
        """Years of the ground truth by normal form."""
        years: dict[str, list[int]] = {}
        for title in self.groundtruth:
            years.setdefault(normal_form(title.name), []).append(title.year)
        return years

    def has_seen(self, form: str, year: int, tolerance: int) -> bool:
        """Tell whether the user has seen the title with this normal *form* and *year*."""
        seen = self._seen_years.get(form, ())
        return any(known is None or abs(known - year) <= tolerance for known in seen)

    @cached_property
    def _seen_years(self) -> Mapping[str, Sequence[int | None]]:
        years: dict[str, list[int | None]] = {}
        for title in self.seen_titles:
            name, year = (title, None) if isinstance(title, str) else title
            years.setdefault(normal_form(name), []).append(year)
        return years


def read_records(
    path: Path,
    *,
    needs: Mapping[str, str],
    transforms: Sequence[Transform] = (),
) -> list[Record]:
    """Read a split: JSONL, Parquet, or a folder written by ``datasets``.

    Args:
        path: The file or folder.
        needs: Required columns, each with what needs it, such as ``{"constraints": "reward 'safety'"}``.
        transforms: Applied in order before anything is checked.

    Raises:
        DataError: The file is missing or empty, or a row is not what is wanted; the message tells
            the row, the column and what needs it.
    """
    rows: Iterable[dict[str, Any]] = read_rows(path)
    for transform in transforms:
        rows = _transformed(transform, rows)
    records = [_record(row, f"{path}, row {n}", needs) for n, row in enumerate(rows, start=1)]
    if not records:
        raise DataError(f"{path} holds no records; wanted at least one")
    return records


def _transformed(transform: Transform, rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    name = type(transform).__name__
    try:
        for row in transform(rows):
            if not isinstance(row, dict):
                raise PluginError(  # noqa: TRY301 - passed on by the next line
                    f"transform {name} must yield dictionaries, but yielded {row!r}"
                )
            yield row
    except SaferecError:
        raise
    except Exception as error:  # whatever it raises, the transform is to be named
        raise PluginError(f"transform {name} failed: {type(error).__name__}: {error}") from error


def _record(row: Mapping[str, Any], where: str, needs: Mapping[str, str]) -> Record:
    for column, who in {"prompt": "every run", **needs}.items():
        if row.get(column) is None:
            has = ", ".join(sorted(key for key, value in row.items() if value is not None))
            raise DataError(f"{where}: column {column!r} is missing; {who} needs it. Columns: {has}")
    completion = row.get("completion")
    return Record(
        prompt=_messages(row["prompt"], f"{where}, prompt", role="user"),
        completion=None
        if completion is None
        else _messages(completion, f"{where}, completion", role="assistant"),
        groundtruth=tuple(_titles(row, "groundtruth_with_release_year", where)),
        seen_titles=tuple(_seen(row, where)),
        constraints=_constraints(row.get("constraints"), where),
        columns=row,
    )


def _messages(value: Any, where: str, *, role: str) -> Sequence[Message]:
    if isinstance(value, str):
        return [{"role": role, "content": value}]
    if not isinstance(value, Sequence) or not value:
        raise DataError(f"{where}: wanted a list of messages, but got {value!r}")
    for message in value:
        texts = [message.get(key) for key in ("role", "content")] if isinstance(message, Mapping) else []
        if len(texts) != 2 or not all(isinstance(text, str) for text in texts):
            raise DataError(f"{where}: a message needs role and content, both text, but is {message!r}")
    return [{"role": message["role"], "content": message["content"]} for message in value]


def _titles(row: Mapping[str, Any], column: str, where: str) -> Iterator[Title]:
    for entry in _listed(row, column, where):
        pair = (entry.get("title"), entry.get("year")) if isinstance(entry, Mapping) else entry
        if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
            raise DataError(f"{where}: {column} must hold [title, year] pairs, but holds {entry!r}")
        name, year = pair
        if not isinstance(name, str) or not name.strip():
            raise DataError(f"{where}: {column}: wanted a title, but got {name!r}")
        yield Title(name, whole_year(year, f"{where}: {column}: the year of {name!r}"))


def _seen(row: Mapping[str, Any], where: str) -> Iterator[Title | str]:
    for entry in _listed(row, "seen_titles", where):
        if (
            isinstance(entry, Sequence)
            and not isinstance(entry, str)
            and len(entry) == 2
            and entry[1] is None
        ):
            yield str(entry[0])
        elif not isinstance(entry, str):
            yield from _titles({"seen_titles": [entry]}, "seen_titles", where)
        elif match := _TITLE_WITH_YEAR.match(entry):
            yield Title(match[1], int(match[2]))
        else:
            yield entry


def _listed(row: Mapping[str, Any], column: str, where: str) -> Sequence[Any]:
    value = row.get(column)
    if value is None:
        return ()
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise DataError(f"{where}: {column} must be a list, but is {value!r}")
    return value


def _constraints(value: Any, where: str) -> tuple[str, ...]:
    """Read a list of traits, ``{trait: true}``, or a struct whose other traits are None."""
    if isinstance(value, Mapping):
        return tuple(sorted(trait for trait, active in value.items() if active))
    traits = _listed({"constraints": value}, "constraints", where)
    if not all(isinstance(trait, str) for trait in traits):
        raise DataError(f"{where}: constraints must be a list of trait names, but is {value!r}")
    return tuple(sorted(set(traits)))
