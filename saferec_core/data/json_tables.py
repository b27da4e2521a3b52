"""JSON objects that hold a whole table where one row is wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["table_in"]

_LISTS_OF_ROWS = ("data", "rows", "records", "items", "results", "examples", "entries", "movies", "films")
"""Keys under which services and libraries put the rows."""

_BESIDE_ROWS = frozenset(
    [
        "total",
        "count",
        "page",
        "pages",
        "next",
        "previous",
        "limit",
        "offset",
        "size",
        "status",
        "version",
        "features",
        "columns",
        "schema",
    ]
)
"""Keys that may stand beside them; with any other the object is a row of its own."""

_AS_PANDAS = "write it with df.to_json(path, orient='records', lines=True)"


def table_in(value: Mapping[str, Any]) -> str | None:
    """Return what the only JSON object of a file is and what to do about it; None if it is a row.

    Recognized are a list of rows under a key such as ``data``, and what pandas writes by default and with
    ``orient`` set to ``index``, ``split``, ``table`` or ``list``.
    """
    parts = list(value.values())
    if isinstance(value.get("data"), list) and ("columns" in value or "schema" in value):
        return f"a table that pandas wrote with orient='split' or 'table', not a row a line; {_AS_PANDAS}"
    for key in _LISTS_OF_ROWS:
        if value.keys() - _BESIDE_ROWS == {key} and _is_list_of(value[key], dict):
            return (
                f"one JSON object with its rows under {key!r}; write these alone, "
                f"for example with: jq -c '.{key}[]' FILE > rows.jsonl"
            )
    if all(isinstance(part, dict) and part for part in parts) and len({frozenset(p) for p in parts}) == 1:
        columns = all(map(str.isdecimal, parts[0]))
        if columns or len(parts) > 1 or all(map(str.isdecimal, value)):
            arranged = "column by column (pandas' default)" if columns else "by their keys or index"
            return f"one JSON object with its rows {arranged}, not a row a line; {_AS_PANDAS}"
    # A row may hold lists too, such as titles and their scores, but its title is not a list.
    lists = all(_is_list_of(part, str | int | float | None) for part in parts)
    if "title" in value and lists and len(set(map(len, parts))) == 1:
        return f"one JSON object with a list for each column, not a row a line; {_AS_PANDAS}"
    return None


def _is_list_of(value: Any, kinds: Any) -> bool:
    return (
        isinstance(value, Sequence)
        and not isinstance(value, str)
        and bool(value)
        and all(isinstance(element, kinds) for element in value)
    )
