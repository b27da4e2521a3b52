"""Lists and objects that a table, which has none, holds as their text."""

from __future__ import annotations

import ast
import json
from typing import Any

from saferec_core.errors import DataError

__all__ = ["not_as_text"]


def not_as_text(value: Any, column: str, *, of: Any = object) -> Any:
    """Return a list or an object that a cell holds as JSON text; any other value as it is.

    Args:
        value: A cell.
        column: Named in errors.
        of: What a list must consist of; another text in brackets is text.

    Raises:
        DataError: The text is a list or an object as Python prints it.
    """
    if not isinstance(value, str):
        return value
    text = value.strip()
    if not text.startswith(("[", "{")) or not text.endswith(("]", "}")):
        return value
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        read = _as_python_prints(text)
        if _consists_of(read, of):
            raise DataError(
                f"{column} holds text that Python printed, {text!r:.60}; write it as JSON (json.dumps)"
            ) from None
    return read if _consists_of(read, of) else value


def _consists_of(value: Any, kind: Any) -> bool:
    return (
        isinstance(value, list | dict)
        and bool(value or kind is object)
        and all(isinstance(each, kind) for each in value)
    )


def _as_python_prints(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
