"""Remember what was read from a line: a policy writes the same lines over and over."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Concatenate, ParamSpec, TypeVar

__all__ = ["remembered"]

P = ParamSpec("P")
T = TypeVar("T")

_LINES = 1 << 14
_LONGEST = 300
"""Characters of a line that is remembered; longer ones hardly come twice, and may fill the memory."""


def remembered(function: Callable[Concatenate[str, P], T]) -> Callable[Concatenate[str, P], T]:
    """Remember the results of a function of a line; what it returns must not be changed."""
    remembering: Callable[Concatenate[str, P], T] = lru_cache(maxsize=_LINES)(function)  # type: ignore[assignment]

    @wraps(function)
    def call(line: str, /, *args: P.args, **kwargs: P.kwargs) -> T:
        if len(line) > _LONGEST:
            return function(line, *args, **kwargs)
        return remembering(line, *args, **kwargs)

    return call
