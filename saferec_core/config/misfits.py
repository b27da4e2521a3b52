"""Values that are each valid and do not go together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import PydanticCustomError

__all__ = ["location_of", "misfit"]

_TYPE = "misfit"


def misfit(path: str, message: str) -> PydanticCustomError:
    """Return the error that a model's validator raises.

    Args:
        path: Path of the value to leave out, seen from the model, so that other problems can be found.
        message: What does not fit and what to change.
    """
    return PydanticCustomError(_TYPE, "{message}", {"path": path, "message": message})


def location_of(problem: Mapping[str, Any]) -> Sequence[Any]:
    """Return where the value lies that one of pydantic's errors is about."""
    within: Sequence[Any] = problem["loc"]
    return [*within, *problem["ctx"]["path"].split(".")] if problem["type"] == _TYPE else within
