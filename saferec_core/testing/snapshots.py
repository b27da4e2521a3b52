"""What a value holds, in a form that compares equal if and only if nothing in it has changed."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import Any

__all__ = ["difference", "snapshot"]


def snapshot(value: Any) -> Any:
    """Return the content of *value*; NaN equals NaN, and a tensor's version counts.

    Of an object that is neither data nor a tensor only its class counts. Public cached properties of a
    dataclass are computed, since whoever comes next reads them too; its fields that are not compared are left
    out, such as what a component may log.
    """
    torch = sys.modules.get("torch")  # whoever has not imported it holds no tensors
    if torch is not None and isinstance(value, torch.Tensor):
        content = value.detach().cpu().contiguous()
        return ("tensor", str(value.dtype), tuple(value.shape), value._version, content.numpy().tobytes())
    if isinstance(value, float):
        return "nan" if value != value else value
    if value is None or isinstance(value, str | bytes | int):
        return value
    return (type(value).__name__, *_parts(value))


def _parts(value: Any) -> Iterator[Any]:
    """Yield snapshots of what *value* consists of; nothing for an object that is not data."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        computed = (
            name
            for name, member in vars(type(value)).items()
            if isinstance(member, cached_property) and not name.startswith("_")
        )
        compared = (field.name for field in dataclasses.fields(value) if field.compare)
        for name in (*compared, *computed):
            yield name, snapshot(_read(value, name))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield snapshot(key), snapshot(item)
    elif isinstance(value, AbstractSet):
        yield from sorted(map(repr, value))
    elif isinstance(value, Sequence):
        yield from map(snapshot, value)


def difference(before: Any, after: Any, path: str = "") -> str:
    """Say where two snapshots differ first."""
    if isinstance(before, tuple) and isinstance(after, tuple) and before[:1] == after[:1]:
        if len(before) != len(after):
            return f"{path or before[0]} has {len(after) - 1} entries instead of {len(before) - 1}"
        for index, (one, other) in enumerate(zip(before[1:], after[1:], strict=True)):
            if one != other:
                named = isinstance(one, tuple) and len(one) == 2 and isinstance(one[0], str)
                if named and one[0] == other[0]:
                    return difference(one[1], other[1], f"{path}.{one[0]}" if path else one[0])
                if before[0] == "tensor":
                    return f"{path or 'a tensor'} holds other values or was written to"
                return difference(one, other, f"{path}[{index}]")
    return f"{path or 'it'} was {_short(before)}, and is {_short(after)}"


def _read(value: Any, name: str) -> Any:
    try:
        return getattr(value, name)
    except Exception as error:  # noqa: BLE001 - such as verdicts without an oracle
        return type(error).__name__


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."
