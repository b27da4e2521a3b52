"""Lists and objects that a table, which has none, holds as their text."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from typing import Any

from saferec_core.errors import DataError

__all__ = ["are_messages", "not_as_text"]


def not_as_text(value: Any, column: str, *, is_meant: Callable[[Any], bool] | None = None) -> Any:
    """Return a list or an object that a cell holds as JSON text; any other value as it is.

    Args:
        value: A cell.
        column: Named in errors.
        is_meant: Tells lists and objects that the column is meant to hold from text that only looks like
            one; any is meant if not given.

    Raises:
        DataError: The text is such a list or object as Python prints it.
    """
    if not isinstance(value, str):
        return value
    text = value.strip()
    if not text.startswith(("[", "{")) or not text.endswith(("]", "}")):
        return value
    try:
        read, in_json = json.loads(text), True
    except (ValueError, RecursionError):
        read, in_json = _as_python_prints(text), False
    if not isinstance(read, list | dict) or not (is_meant is None or is_meant(read)):
        return value
    if not in_json:
        raise DataError(
            f"{column} holds text that Python printed, {text!r:.60}; write it as JSON (json.dumps)"
        )
    return read


def are_messages(value: Any) -> bool:
    """Whether a list is one of messages, and not a recommended list in JSON."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(each, dict) and {"role", "content"} <= each.keys() for each in value)
    )


def _as_python_prints(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
