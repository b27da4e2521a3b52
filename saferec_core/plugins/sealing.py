"""Notice when a component changes what it was given: values are remembered as they were computed.

Rewards and metrics share one object with all that is known of a batch of lists. It could be frozen only by
copies; instead every value is fingerprinted when it is first computed, before anybody gets it, and compared
after each call. Bytes are compared and not versions of tensors, since a view in NumPy changes no version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from functools import cache, cached_property
from inspect import getattr_static
from typing import TYPE_CHECKING, Any

import numpy as np
import xxhash
from torch import Tensor

__all__ = ["changed", "fingerprint", "sealed_property"]

_SEALS = "_seals"


class _SealedProperty(cached_property[Any]):
    """A cached property of which :func:`changed` can tell whether its value is still the one computed."""

    def __get__(self, instance: Any, owner: type[Any] | None = None) -> Any:
        """Compute the value and remember it; later look-ups find it in the instance and not here."""
        value = super().__get__(instance, owner)
        if instance is not None and self.attrname is not None:
            seals = instance.__dict__.setdefault(_SEALS, {})
            seals[self.attrname] = value, fingerprint(value)
        return value


if TYPE_CHECKING:  # its type is that of the value, as cached_property's is
    sealed_property = cached_property
else:
    sealed_property = _SealedProperty


def changed(instance: Any) -> list[str]:
    """Return the names of the sealed properties whose values were replaced, changed in place, or made up."""
    values = vars(instance)
    seals = values.get(_SEALS, {})
    return [
        *(
            name
            for name, (value, seal) in seals.items()
            if values.get(name) is not value or fingerprint(value) != seal
        ),
        *(
            name
            for name in _sealed_names(type(instance))  # type: ignore[arg-type]
            if name in values and name not in seals
        ),
    ]


@cache
def _sealed_names(cls: type) -> tuple[str, ...]:
    return tuple(name for name in dir(cls) if isinstance(getattr_static(cls, name), _SealedProperty))


def fingerprint(value: Any) -> int:
    """Return a number that differs where a tensor, an array, or a container of them differs."""
    if isinstance(value, Tensor | np.ndarray):
        array = value.detach().cpu().numpy() if isinstance(value, Tensor) else value
        content = xxhash.xxh3_64_intdigest(np.ascontiguousarray(array).data)
        return hash((array.shape, array.dtype.str, content))
    if isinstance(value, str | bytes | int | float | None):
        return hash(value)
    if isinstance(value, Mapping):
        return hash(tuple((key, fingerprint(each)) for key, each in value.items()))
    if is_dataclass(value):
        value = [getattr(value, field.name) for field in fields(value)]
    return hash(tuple(map(fingerprint, value))) if isinstance(value, Sequence) else id(value)
