"""Values as lines of JSON."""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any

import orjson

__all__ = ["as_line"]

_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME


def as_line(value: Any) -> bytes:
    """Write a value as one line of JSON, without blanks.

    Raises:
        TypeError: JSON cannot say it.
        ValueError: A number is not finite, a text holds half a surrogate pair, or it is nested too deep.
    """
    try:
        line = orjson.dumps(value, default=_plain, option=_OPTIONS)
    except orjson.JSONEncodeError:
        return _slowly(value)  # which takes more, such as whole numbers beyond 64 bits
    return _slowly(value) if b"null" in line else line  # null may have been a number that is not finite


def _slowly(value: Any) -> bytes:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain, separators=(",", ":"))
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    return text.encode() + b"\n"


def _plain(value: Any) -> Any:
    """Say in JSON what Arrow files may hold besides."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON: {value!r:.80}")
