"""Call a plugin, and name it if it fails."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

from saferec_core.errors import PluginError, SaferecError

__all__ = ["calling"]


def calling(
    kind: str, name: str, *, where: str = "", doing: str = "", error: type[PluginError] = PluginError
) -> AbstractContextManager[None]:
    """Turn whatever a plugin raises into an error that names it; a failure never becomes a value.

    An error that derives from :class:`~saferec_core.errors.SaferecError` is one for the user already and is
    passed on. What is returned may be entered many times.

    Args:
        kind: What the plugin is, such as ``"reward"``.
        name: What the run calls it.
        where: What narrows it down, such as ``" at 10"``.
        doing: What it was asked to do, such as ``" to explain"``, if that is not obvious.
        error: The class of the error.
    """
    return _Calling(f"{kind} {name!r}{where} failed{doing}", error)


@dataclass(frozen=True, slots=True)
class _Calling(AbstractContextManager[None]):
    """A class, since a generator costs a microsecond for every row that a transform yields."""

    message: str
    error: type[PluginError]

    def __exit__(self, kind: object, failure: BaseException | None, traceback: object) -> None:
        if isinstance(failure, Exception | SystemExit) and not isinstance(failure, SaferecError):
            raise self.error(f"{self.message}: {type(failure).__name__}: {failure}") from failure
