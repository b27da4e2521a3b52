"""Rows in Arrow: one type per column, determined from all rows first."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from saferec_core.data.constraint_sentences import STATED
from saferec_core.data.dataset_rows import COLUMNS
from saferec_core.data.rows import Row

__all__ = ["ArrowForm"]


_INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True)
class _Nothing:
    """The value was never anything but null, or a list never had an element."""


@dataclass(frozen=True, slots=True)
class _Plain:
    """Text, integers, floats or booleans."""

    name: str


@dataclass(frozen=True, slots=True)
class _Json:
    """Values that no single Arrow type holds; they are written as JSON text."""


@dataclass(frozen=True, slots=True)
class _Listed:
    """Lists whose elements are alike."""

    inner: _Kind


@dataclass(frozen=True, slots=True)
class _Struct:
    """Objects that all have the same keys."""

    fields: tuple[tuple[str, _Kind], ...]


_Kind = _Nothing | _Plain | _Json | _Listed | _Struct

_NOTHING, _JSON = _Nothing(), _Json()
_TEXT, _BOOL, _INT, _FLOAT = map(_Plain, ("string", "bool", "int64", "float64"))
_PLAIN_KINDS: dict[type, _Kind] = {type(None): _NOTHING, str: _TEXT, bool: _BOOL, float: _FLOAT}
_MESSAGE_KIND = _Listed(_Struct((("role", _TEXT), ("content", _TEXT))))
_TITLE_KIND = _Listed(_Struct((("title", _TEXT), ("year", _Plain("int32")))))

_FIXED_KINDS: dict[str, _Kind] = {
    "prompt": _MESSAGE_KIND,
    "completion": _MESSAGE_KIND,
    "groundtruth_with_release_year": _TITLE_KIND,
    "seen_titles": _TITLE_KIND,
    "constraints": _Listed(_TEXT),
    STATED: _Listed(_Struct((("trait", _TEXT), ("sentence", _TEXT)))),
}
"""Of columns that `saferec_core.data.dataset_rows.plain_record` brings into one form."""


class ArrowForm:
    """Columns and their types.

    Messages are lists of ``{role, content}``, titles lists of ``{title, year}``, constraints lists of
    text, and the sentences that state them lists of ``{trait, sentence}``. The type of any other column
    follows from all of its values: integers and floats together are floats, objects with the same keys are
    structs, lists of values of one type are lists. Values of mixed types (text in one row, a list in the
    next; objects whose keys differ, as in a map from titles to risks) are written as JSON text, at the
    deepest possible level.
    """

    def __init__(self) -> None:
        """Start without columns."""
        self._kinds: dict[str, _Kind] = {}
        self._ordered_kinds: list[tuple[str, _Kind]] | None = None

    def look_at(self, row: Row) -> None:
        """Take a row into account; columns without a value do not count."""
        kinds, self._ordered_kinds = self._kinds, None
        for column, value in row.items():
            if value is None:
                continue
            if column in _FIXED_KINDS:
                kinds[column] = _FIXED_KINDS[column]
            else:
                kinds[column] = _both(kinds.get(column, _NOTHING), _kind_of(value))

    @property
    def json_columns(self) -> tuple[str, ...]:
        """Paths of values that are written as JSON text, such as ``groundtruth_removed.evidence``."""
        return tuple(path for column, kind in self._ordered() for path in _json_paths(column, kind))

    def schema(self) -> Any:
        """Return the Arrow schema."""
        import pyarrow as pa

        return pa.schema([(column, _arrow_type(kind)) for column, kind in self._ordered()])

    def converted(self, row: Row) -> Row:
        """Return the row, in the one form of `plain_record`, with values that fit the schema."""
        return {column: _fitting(row.get(column), kind) for column, kind in self._ordered()}

    def _ordered(self) -> list[tuple[str, _Kind]]:
        if self._ordered_kinds is None:
            first = [column for column in COLUMNS if column in self._kinds]
            others = [column for column in self._kinds if column not in COLUMNS]
            self._ordered_kinds = [(column, self._kinds[column]) for column in (*first, *others)]
        return self._ordered_kinds


def _kind_of(value: Any) -> _Kind:
    if plain := _PLAIN_KINDS.get(type(value)):
        return plain
    if isinstance(value, int):
        return _INT if value in _INT64 else _JSON
    if isinstance(value, list):
        inner: _Kind = _NOTHING
        for element in value:
            inner = _both(inner, _kind_of(element))
        return _Listed(inner)
    if isinstance(value, Mapping) and value:
        return _Struct(tuple((str(key), _kind_of(inside)) for key, inside in value.items()))
    return _JSON


def _both(one: _Kind, other: _Kind) -> _Kind:
    """Return the kind that holds the values of both."""
    if one is other or one == other or isinstance(other, _Nothing):
        return one
    if isinstance(one, _Nothing):
        return other
    if {one, other} == {_INT, _FLOAT}:
        return _FLOAT
    if isinstance(one, _Listed) and isinstance(other, _Listed):
        return _Listed(_both(one.inner, other.inner))
    if isinstance(one, _Struct) and isinstance(other, _Struct):
        theirs = dict(other.fields)
        if theirs.keys() == {key for key, _ in one.fields}:
            return _Struct(tuple((key, _both(kind, theirs[key])) for key, kind in one.fields))
    return _JSON


def _arrow_type(kind: _Kind) -> Any:
    import pyarrow as pa

    if isinstance(kind, _Plain):
        return pa.type_for_alias(kind.name)
    if isinstance(kind, _Listed):
        return pa.list_(_arrow_type(kind.inner))
    if isinstance(kind, _Struct):
        return pa.struct([(key, _arrow_type(inner)) for key, inner in kind.fields])
    return pa.string()


def _fitting(value: Any, kind: _Kind) -> Any:
    if kind is _TITLE_KIND and value is not None:
        return [{"title": title, "year": year} for title, year in value]
    if value is None or not _holds_json(kind):
        return value
    if isinstance(kind, _Listed):
        return [_fitting(element, kind.inner) for element in value]
    if isinstance(kind, _Struct):
        return {key: _fitting(value[key], inner) for key, inner in kind.fields}
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


@cache
def _holds_json(kind: _Kind) -> bool:
    return next(_json_paths("", kind), None) is not None


def _json_paths(path: str, kind: _Kind) -> Iterator[str]:
    if isinstance(kind, _Json):
        yield path
    elif isinstance(kind, _Listed):
        yield from _json_paths(path, kind.inner)
    elif isinstance(kind, _Struct):
        for key, inner in kind.fields:
            yield from _json_paths(f"{path}.{key}", inner)
