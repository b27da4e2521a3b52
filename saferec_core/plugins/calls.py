"""Call a plugin: name it if it fails, and put back what it changed of the process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, TypeVar

from saferec_core.errors import PluginError, SaferecError
from saferec_core.plugins.endings import within_plugin
from saferec_core.plugins.generators import GENERATORS, advance_random_state
from saferec_core.plugins.isolation import LOGGER, in_words, is_any, is_interrupt_by_user
from saferec_core.plugins.last_words import at_work, is_built_in
from saferec_core.plugins.patches import Patches, patches_undone
from saferec_core.plugins.registry import entry_of
from saferec_core.plugins.surroundings import surroundings_kept
from saferec_core.plugins.time_limits import PluginTimeoutError, call_limit, pause, time_limit

__all__ = ["calling", "named", "overseen", "undisturbed", "yielded_by"]

T = TypeVar("T")
_END: Any = object()

_looked_after: dict[str, float] = {}
"""When each plugin began the last call after which functions of others were compared."""
_SELDOM = 0.1
"""Seconds from one such comparison to the next, which takes two milliseconds."""
_overseen: list[set[str]] = []
"""For each block of :func:`overseen`, the inner one last, what was called within it."""
_reported: set[tuple[str, str]] = set()
"""What was reported already, so that a plugin that is called every step is not reported every step."""


def named(kind: str, component: object, name: str | None = None) -> str:
    """Return what errors call a component: kind, name, distribution and version.

    Args:
        kind: What it is, such as ``"reward"``.
        component: The component; one that no plugin offers has neither distribution nor version.
        name: What the run calls it, for lack of an entry; its class unless given.
    """
    entry = entry_of(component)
    return f"{kind} {name or type(component).__name__!r}" if entry is None else str(entry)


def calling(
    what: str, *, doing: str = "", error: type[PluginError] = PluginError, limit: time_limit | None = None
) -> AbstractContextManager[None]:
    """Turn whatever a plugin raises into an error that names it; a failure never becomes a value.

    ``SystemExit`` and a ``KeyboardInterrupt`` of the plugin's own are failures like any other, and so is a
    call that does not return in time. An error that derives from :class:`~saferec_core.errors.SaferecError`
    is one for the user already and is passed on, as is the user's Ctrl-C. What is returned may be entered
    many times, one after the other.

    Args:
        what: The plugin, as :func:`named` returns it.
        doing: What it was asked to do, such as ``" to explain"``, if that is not obvious.
        error: The class of the error.
        limit: How long it may take; by default what ``--call-timeout`` says. What is built in has no limit
            but one that is given.
    """
    if limit is None:
        limit = pause(what) if is_built_in(what) else call_limit(what)
    return _Calling(f"{what} failed{doing}", error, limit)


@dataclass(slots=True)
class _Calling(AbstractContextManager[None]):
    """A class, since a generator costs a microsecond for every row that a transform yields."""

    message: str
    error: type[PluginError]
    limit: time_limit | None

    def __enter__(self) -> None:
        if self.limit is not None:
            self.limit.start()

    def __exit__(self, kind: object, failure: BaseException | None, traceback: object) -> None:
        if self.limit is not None:
            try:
                self.limit.stop(failure)
            except PluginTimeoutError as late:
                failure = late
        if failure is None or is_any(failure, SaferecError) or is_interrupt_by_user(failure):
            return
        LOGGER.debug("%s", self.message, exc_info=failure)
        raise self.error(f"{self.message}: {in_words(failure)}") from failure


def yielded_by(what: str, begin: Callable[[], Iterable[T]]) -> Iterator[T]:
    """Pass on what a plugin yields; see :func:`calling`, which holds until each outcome is there.

    A row takes microseconds, and looking after a call a quarter of a millisecond: :func:`undisturbed`
    therefore holds for the first row and for one every now and then.

    Args:
        what: The plugin, as :func:`named` returns it.
        begin: Calls it.
    """
    calls, within = calling(what), _Within(what)
    remaining: Iterator[T] | None = None
    while True:
        with undisturbed(what) if _is_due(what) else within, calls:
            remaining = iter(begin()) if remaining is None else remaining
            outcome = next(remaining, _END)
        if outcome is _END:
            return
        yield outcome


@dataclass(slots=True)
class _Within(AbstractContextManager[None]):
    """Code of a plugin is at work and cannot end the process; may be entered again and again."""

    what: str
    noted: at_work = field(init=False)

    def __post_init__(self) -> None:
        self.noted = at_work(self.what)

    def __enter__(self) -> None:
        self.noted.__enter__()
        within_plugin.__enter__()

    def __exit__(self, *failure: object) -> None:
        within_plugin.__exit__(*failure)
        self.noted.__exit__(*failure)


def undisturbed(what: str) -> AbstractContextManager[None]:
    """Put back what a plugin changes of the process while it computes, and warn of it once; it cannot end it.

    A plugin that seeds the global random generators, or draws from them, would decide what the policy samples
    next. They are put back, one draw further, so that a plugin that draws does not draw the same every time.
    What is built in is called as it is: looking after a call takes a quarter of a millisecond.
    """
    return nullcontext() if is_built_in(what) else _undisturbed(what)


@contextmanager
def _undisturbed(what: str) -> Iterator[None]:
    notes: list[str] = []
    is_compared = what not in _looked_after or (not _overseen and _is_due(what))
    if is_compared:
        _looked_after[what] = monotonic()
    for calls in _overseen:
        calls.add(what)
    with (
        _Within(what),
        surroundings_kept(notes),
        patches_undone(notes) if is_compared else nullcontext(),
    ):
        yield
    _warn(what, notes)


def _is_due(what: str) -> bool:
    return monotonic() - _looked_after.get(what, -_SELDOM) >= _SELDOM


@contextmanager
def overseen() -> Iterator[None]:
    """Put back functions of others that plugins replace in any of several calls, and warn of it.

    A comparison takes two milliseconds: it follows the first call of a plugin, and then a batch as a whole;
    outside of such blocks it follows each call but those that come soon after another.
    """
    if not _looked_after:
        yield
        return
    calls: set[str] = set()
    _overseen.append(calls)
    patches = Patches()
    try:
        yield
    finally:
        _overseen[:] = [each for each in _overseen if each is not calls]
        if calls:
            _warn(" or ".join(sorted(calls)), patches.put_back())


def _warn(what: str, notes: Iterable[str]) -> None:
    """Warn, once, of what a plugin changed."""
    for note in notes:
        if GENERATORS in note:
            advance_random_state()
        if (what, note) not in _reported:
            _reported.add((what, note))
            LOGGER.warning("%s %s", what, note)
