"""Errors that a user can act on, and the near misses that their messages offer."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = [
    "ConfigError",
    "DataError",
    "NameTakenError",
    "PluginError",
    "RewardError",
    "RunError",
    "SaferecError",
    "UnknownNameError",
    "near_misses",
]


class SaferecError(Exception):
    """Something the user can put right; the command line shows the message without a traceback."""


class ConfigError(SaferecError):
    """A run configuration asks for something that cannot be."""


class DataError(SaferecError):
    """A file, a row or a column is missing or not what was wanted."""


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


def near_misses(name: str, known: Iterable[str]) -> str:
    """Return a sentence such as ``" Did you mean 'count'?"``, or nothing."""
    folded = {candidate.casefold(): candidate for candidate in known}
    close = get_close_matches(name.casefold(), folded, n=3, cutoff=0.6)
    if not close:
        return ""
    return f" Did you mean {' or '.join(repr(folded[match]) for match in close)}?"
