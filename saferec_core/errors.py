"""Errors that a user can act on, and the near misses that their messages offer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, TypeVar

__all__ = [
    "ConfigError",
    "DataError",
    "NameTakenError",
    "PluginError",
    "RewardError",
    "RunError",
    "SaferecError",
    "UnknownNameError",
    "came_instead",
    "for_each",
    "near_misses",
    "one_error",
]

A = TypeVar("A")
R = TypeVar("R")

_SECRET_KEY = re.compile(
    r"(?:^|[._-])(?:url|uri|api_?keys?|keys?|token|secret|password)(?:$|[._-])", re.IGNORECASE
)
_MOST_SHOWN = 80
_SHORTEST_PART = 4
"""Characters; shorter parts of names are in too many of them."""
_KINDS: Mapping[type, str] = {dict: "a mapping", list: "a list", tuple: "a list"}


class SaferecError(Exception):
    """Something the user can put right; the command line shows the message without a traceback."""


class ConfigError(SaferecError):
    """A run configuration asks for something that cannot be."""


def one_error(problems: Sequence[str], hint: str = "") -> ConfigError:
    """Put every problem of a configuration into one error, a line each, and a hint behind them."""
    lines = [line for problem in problems for line in problem.splitlines()]
    if len(lines) > 1:
        lines = [f"{len(lines)} problems in the configuration", *(f"  {line}" for line in lines)]
    return ConfigError("\n".join([*lines, *([hint] if hint else [])]))


def for_each(call: Callable[[A], R], items: Iterable[A]) -> list[R]:
    """Call *call* with every item and return what it returns; problems of several items make one error.

    Raises:
        RunError: Several items fail, a line each. What is wrong with a single one is raised as it is.
    """
    results, errors = [], dict[str, SaferecError]()
    for item in items:
        try:
            results.append(call(item))
        except SaferecError as error:
            errors.setdefault(str(error), error)
    if len(errors) > 1:
        raise RunError("\n".join([f"{len(errors)} problems", *(f"  {message}" for message in errors)]))
    for single in errors.values():
        raise single
    return results


class DataError(SaferecError):
    """A file, a row or a column is missing or not what was expected."""


class PluginError(SaferecError):
    """A plugin cannot be loaded, or breaks its contract."""


class NameTakenError(PluginError):
    """Two plugins offer the same name."""


class RewardError(PluginError):
    """A reward function failed or returned something else than its scope promises."""


class RunError(SaferecError):
    """A run folder or a checkpoint is not there, not complete, or would be overwritten."""


class UnknownNameError(SaferecError, LookupError):
    """A name that nothing is registered under."""

    def __init__(self, what: str, name: str, available: Iterable[str], *, hint: str = "") -> None:
        """Compose the message.

        Args:
            what: The kind of thing, such as ``"reward"``.
            name: The name that was asked for.
            available: Every name that would have been found.
            hint: A further sentence, if there is more to say.
        """
        known = sorted(available)
        message = f"unknown {what} {name!r}.{near_misses(name, known)}"
        message += f" Available: {', '.join(known)}." if known else f" No {what} is available."
        super().__init__(f"{message} {hint}".rstrip())

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel from a worker as the message: what it was made of is no longer needed."""
        return _remade, (type(self), str(self))


def _remade(cls: type[UnknownNameError], message: str) -> UnknownNameError:
    error = cls.__new__(cls)
    error.args = (message,)
    return error


def came_instead(problem: Mapping[str, Any]) -> str:
    """Return ``", but got 0"`` for a problem that pydantic found, or nothing where a key might be shown.

    A mapping or a list is not shown, since it holds more than what is wrong; nor is what belongs to a
    name such as ``base_url``, or an address.
    """
    value = problem["input"]
    if problem["type"] == "missing" or not problem["loc"]:
        return ""
    if not (value is None or isinstance(value, str | int | float)):
        return f", but got {_KINDS.get(type(value), type(value).__name__)}"
    if any(_SECRET_KEY.search(str(part)) for part in problem["loc"]) or "://" in str(value):
        return ""
    shown = repr(value)
    return f", but got {shown if len(shown) <= _MOST_SHOWN else shown[:_MOST_SHOWN] + '...'}"


def near_misses(name: str, known: Iterable[str]) -> str:
    """Return a sentence such as ``" Did you mean 'count'?"``, or nothing."""
    folded = {candidate.casefold(): candidate for candidate in known}
    wanted = name.casefold()
    close = get_close_matches(wanted, folded, n=3, cutoff=0.6)
    if not close and len(wanted) >= _SHORTEST_PART:
        close = [candidate for candidate in folded if _is_part_of(wanted, candidate)][:3]
    if not close:
        return ""
    return f" Did you mean {' or '.join(repr(folded[match]) for match in close)}?"


def _is_part_of(wanted: str, candidate: str) -> bool:
    """Tell whether somebody may have typed only the beginning of a name, or one of its words."""
    parts = [candidate[: len(wanted)], *re.findall(r"[\w-]+", candidate), *re.findall(r"\w+", candidate)]
    return bool(get_close_matches(wanted, parts, n=1, cutoff=0.8))
