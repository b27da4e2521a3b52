"""Lists of one: where a setting is a list, a single value is read as such, and text is split at commas."""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

__all__ = ["split_text", "with_lists"]

_LISTS = (list, tuple, set, frozenset)


def with_lists(settings: Mapping[str, Any], kinds: Mapping[str, Any]) -> dict[str, Any]:
    """Put single values of settings that are lists into lists: 3 is ``[3]``, and "5, 10" is ``["5", "10"]``.

    That holds for every list setting of saferec and every list option of a component, in files, flags and
    ``--set`` alike. None, true and false stay as they are, to be refused where they make no sense.

    Args:
        settings: Values by name, as they were given.
        kinds: The type of each setting.
    """
    return {name: _as_list(value) if _is_list(kinds.get(name)) else value for name, value in settings.items()}


def split_text(text: str) -> list[str]:
    """Split text at commas, leaving out empty parts."""
    return [part.strip() for part in text.split(",") if part.strip()]


def _is_list(kind: Any) -> bool:
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) in (Union, UnionType):
        parts = [part for part in get_args(kind) if part is not NoneType]
        return len(parts) == 1 and _is_list(parts[0])  # what takes text as well decides by itself
    return (get_origin(kind) or kind) in _LISTS


def _as_list(value: Any) -> Any:
    if isinstance(value, str):
        return split_text(value)
    is_single = isinstance(value, int | float) and not isinstance(value, bool)
    return [value] if is_single else value
