"""What is wrong with a setting, in words: what pydantic reports, with the whole path of the key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Any, get_args

from pydantic import BaseModel

from saferec_core.config.misfits import location_of
from saferec_core.config.schema import EvalConfig, RunConfig, SftConfig, TrainConfig
from saferec_core.errors import came_instead, near_misses

__all__ = ["in_words", "section_below"]


def in_words(kind: type[BaseModel], problem: Mapping[str, Any], origin: str) -> str:
    """Say what is wrong with a setting, what was wanted and what came.

    Args:
        kind: The configuration.
        problem: The problem as pydantic reports it.
        origin: Where the value came from; empty if that is of no interest.
    """
    path = ".".join(map(str, problem["loc"])) or "configuration"
    source = f" (from {origin})" if problem["loc"] and origin else ""
    if problem["type"] == "extra_forbidden":
        section: Any = kind
        for part in problem["loc"][:-1]:
            section = section_below(section, part)
        fields = getattr(section, "model_fields", {})
        known = f" Keys here: {', '.join(sorted(fields))}." if fields else ""
        near = near_misses(str(problem["loc"][-1]), fields)
        return f"unknown key {path!r}.{near}{_elsewhere(kind, problem['loc'])}{known}{source}"
    message = str(problem["msg"]).removeprefix("Value error, ")
    if problem["type"] == "value_error":
        return f"{path}: {message}{source}" if problem["loc"] else message
    if location_of(problem) != problem["loc"]:  # the message names what does not fit
        return message
    return f"{path}: {message}{came_instead(problem)}{source}"


_COMMANDS: Mapping[str, type[RunConfig]] = {"train": TrainConfig, "sft": SftConfig, "eval": EvalConfig}


def _elsewhere(kind: type[BaseModel], location: Sequence[Any]) -> str:
    """Name the commands that have the key which this one has not."""
    commands = []
    for command, other in _COMMANDS.items():
        section: Any = other
        for part in location:
            section = section_below(section, part)
        if section is not None and other is not kind:
            commands.append(f"saferec {command}")
    return f" It is a setting of {' and '.join(commands)}." if commands else ""


def section_below(section: Any, name: Any) -> Any:
    """Return the type of a section's field, without the None that an optional one may be."""
    known = getattr(section, "model_fields", {}).get(name)
    if known is None:
        return None
    parts = [part for part in get_args(known.annotation) if part is not NoneType]
    return parts[0] if len(parts) == 1 else known.annotation
