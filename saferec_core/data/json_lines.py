"""Values as JSON: one line for each, and without what JSON does not have."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import orjson

__all__ = ["as_line", "finite"]

_OPTIONS = orjson.OPT_APPEND_NEWLINE | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME


def as_line(value: Any) -> bytes:
    """Write a value as one line of JSON, without spaces.

    Raises:
        TypeError: JSON cannot represent it.
        ValueError: A number is not finite, a text holds half a surrogate pair, or it is nested too deeply.
    """
    try:
        line = orjson.dumps(value, default=_plain, option=_OPTIONS)
    except orjson.JSONEncodeError:
        return _slowly(value)  # which accepts more, such as integers beyond 64 bits
    return _slowly(value) if b"null" in line else line  # null may have been a number that is not finite


def finite(value: Any) -> Any:
    """Return *value* with None in place of NaN and infinities, which JSON does not have."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [finite(part) for part in value]
    return value


def _slowly(value: Any) -> bytes:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain, separators=(",", ":"))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return text.encode() + b"\n"


def _plain(value: Any) -> Any:
    """Represent other values of Arrow files in JSON."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON: {value!r:.80}")
