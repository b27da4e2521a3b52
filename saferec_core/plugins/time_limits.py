"""How long code of a plugin may take, and what happens to code that takes longer.

In the main thread a timer of the process interrupts it, again and again until it ends, should it catch what
is raised. In other threads, and where there are no such timers (Windows), nothing can interrupt it; there the
log says that it is late.
"""

from __future__ import annotations

# No public name leads to it: signal.signal looks its arguments up in enumerations, which takes 20 of 22
# microseconds, twice for every row that an evidence source yields.
import _signal  # type: ignore[import-not-found]
import logging
import math
import os
import re
import signal
import threading
import time
from _thread import get_ident
from collections.abc import Mapping
from contextlib import AbstractContextManager
from functools import lru_cache
from types import FrameType, MappingProxyType
from typing import Any, NamedTuple

from saferec_core.config.durations import seconds
from saferec_core.errors import ConfigError

__all__ = [
    "CALL_LIMITS",
    "DEFAULT_CALL_LIMIT",
    "PluginTimeoutError",
    "call_limit",
    "limits_by_name",
    "pause",
    "still_working",
    "time_limit",
]

CALL_LIMITS = "SAFEREC_CALL_TIMEOUT"
"""Environment variable with what ``--call-timeout`` says: a duration or ``none`` for the calls of all
components, or ``NAME=DURATION`` for those of one; several are separated by commas or blanks."""

DEFAULT_CALL_LIMIT = 3600.0
"""Seconds that a call of a component may take unless set; processes wait twice as long for one another."""

_AGAIN = 5.0
"""Seconds after which code that goes on in spite of an interruption, or cleans up, is interrupted again."""
_SOON = 0.005
"""Seconds after which it is tried again to interrupt what must not be interrupted now."""
_SELDOM = 0.1
"""Seconds from one setting of the timer to the next while rows follow one another within microseconds."""
_EARLY = 0.001
"""Seconds by which a timer may be ahead of the clock."""
_LOGGER = logging.getLogger("saferec.plugins")


class PluginTimeoutError(BaseException):
    """A plugin took longer than it may; whoever catches ``Exception`` to try again does not catch it."""


class time_limit(AbstractContextManager[None]):  # noqa: N801 - read as a function
    """Interrupt what takes longer; may be entered again once it has been left.

    Within another limit both hold. The limit on a call is about the component's own time: it stands still
    while the component waits for another one, as a reward does for an oracle that is slow.
    """

    __slots__ = (
        "_advice",
        "_deadline",
        "_handler",
        "_is_call",
        "_is_late",
        "_remaining",
        "_timer_set",
        "_what",
        "seconds",
    )

    def __init__(self, limit: float | None, *, what: str = "", advice: str = "") -> None:
        """Prepare the limit.

        Args:
            limit: Seconds; None or 0: there is none.
            what: The component, for a limit on one call of it; empty: whatever runs meanwhile is limited.
            advice: What allows more, a sentence for the message.
        """
        self.seconds = limit or None
        self._what = what
        self._is_call = bool(what)
        self._advice = advice
        self._deadline = self._remaining = self._timer_set = 0.0
        self._is_late = False
        self._handler: Any = None

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, _kind: object, failure: BaseException | None, _traceback: object) -> None:
        self.stop(failure)

    def start(self) -> None:
        """Start the clock."""
        self._handler = None
        self._is_late = False
        if self.seconds is None and not (self._is_call and _running):
            return
        now = time.monotonic()
        self._deadline = now + (self.seconds or math.inf)
        if not _CAN_INTERRUPT or get_ident() != threading.main_thread().ident:
            if self._is_call and self.seconds:
                self._handler = threading.Timer(self.seconds, _LOGGER.error, [self._warning()])
                self._handler.daemon = True
                self._handler.start()
            return
        if _running:
            _running[-1]._remaining = _running[-1]._deadline - now
        else:
            _outside[:] = signal.getitimer(signal.ITIMER_REAL)
        self._handler = _signal.signal(signal.SIGALRM, _on_alarm)
        _running.append(self)
        self._timer_set = now
        _set_timer(now)

    def stop(self, failure: BaseException | None) -> None:
        """Stop the clock.

        Args:
            failure: What the code raised; None if it returned.

        Raises:
            PluginTimeoutError: The limit had passed, and the code has caught what said so.
        """
        if isinstance(self._handler, threading.Timer):
            self._handler.cancel()
        elif self in _running:
            del _running[_running.index(self) :]
            now = time.monotonic()
            if _running and _running[-1]._is_call:
                _running[-1]._deadline = now + _running[-1]._remaining
            if _signal.getsignal(signal.SIGALRM) is _on_alarm:  # else the plugin has set a timer of its own
                _set_timer(now)
                _signal.signal(signal.SIGALRM, self._handler)
        if self._is_late and (failure is None or issubclass(type(failure), Exception)):
            raise self.late() from failure

    def late(self) -> PluginTimeoutError:
        """Return the error that says that the limit has passed."""
        advice = f". {self._advice}" if self._advice else ""
        return PluginTimeoutError(f"it took longer than {self.seconds:g} s{advice}")

    def _warning(self) -> str:
        return (
            f"{self._what} has not returned after {self.seconds:g} s. It runs where it cannot be interrupted "
            f"(outside of the main thread); if it hangs, end the process. {self._advice}"
        )

    def _is_due(self, now: float) -> bool:
        is_running = not self._is_call or self is _running[-1]
        return is_running and self._deadline <= now + _EARLY


_CAN_INTERRUPT = hasattr(signal, "setitimer")
_running: list[time_limit] = []
"""The limits that hold in the main thread, innermost last."""
_outside = [0.0, 0.0]
"""The timer of whoever set one before there was a limit."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_running.clear)  # its timers are those of the process it came from


def still_working() -> None:
    """Note that the innermost call has asked for another row, or yielded one: its limit begins anew."""
    if _running and get_ident() == threading.main_thread().ident and (call := _running[-1])._is_call:
        now = time.monotonic()
        call._deadline = now + (call.seconds or math.inf)
        if now - call._timer_set >= _SELDOM:  # the component may have used the timer for something else
            call._timer_set = now
            _signal.signal(signal.SIGALRM, _on_alarm)
            _set_timer(now)


def _set_timer(now: float) -> None:
    """Have the timer ring for the limit that ends first."""
    if not _running:
        signal.setitimer(signal.ITIMER_REAL, *_outside)
        return
    end = min(limit._deadline for limit in _running if not limit._is_call or limit is _running[-1])
    signal.setitimer(signal.ITIMER_REAL, max(end - now, _EARLY) if end < math.inf else 0)


def pause(what: str) -> time_limit | None:
    """Return what makes the clock of a call stand still while *what* works; None if no clock runs."""
    return time_limit(None, what=what) if _running else None


_ENTERING = {
    *(f"saferec_core.plugins.{name}" for name in ("calls", "endings", "last_words", "time_limits")),
    "contextlib",
}
"""Modules whose code begins and ends calls: an exception there would leave a limit, or a guard, behind."""
_GUARDING = {"saferec_core.plugins.surroundings", "saferec_core.plugins.patches"}
"""Modules that put back what a call has changed, by functions of others as well."""


def _must_not_end_here(frame: FrameType | None) -> bool:
    if frame is not None and frame.f_globals.get("__name__") in _ENTERING:
        return True
    while frame is not None:
        if frame.f_globals.get("__name__") in _GUARDING:
            return True
        frame = frame.f_back
    return False


def _on_alarm(_number: int, frame: FrameType | None) -> None:
    now = time.monotonic()
    late = next((limit for limit in _running if limit._is_due(now)), None)
    if late is None:
        _set_timer(now)
        return
    late._is_late = True
    if _must_not_end_here(frame):
        signal.setitimer(signal.ITIMER_REAL, _SOON)
        return
    signal.setitimer(signal.ITIMER_REAL, _AGAIN)
    raise late.late()


class _CallLimits(NamedTuple):
    """What is said of calls."""

    all: float | None
    """Seconds, None for no limit."""
    of: Mapping[str, float | None]
    """By name of the component."""


def call_limit(what: str, own: float | None = None, *, setting: str = "") -> time_limit:
    """Return the limit on calls of a component.

    Args:
        what: The component, as `saferec_core.plugins.calls.named` returns it.
        own: Seconds that the run's configuration sets for this component, where there is a *setting*.
        setting: How the configuration sets them, with ``{name}`` for its name; empty: by ``--call-timeout``.
    """
    name = _name_in(what)
    if setting:
        option = setting.format(name=name)
        given = limits_by_name().get(name)
        if given is None or given >= (own or math.inf):
            return time_limit(own, what=what, advice=f"{option}=SECONDS allows more, null any time")
    limits = _limits_in(os.environ.get(CALL_LIMITS, ""))
    return time_limit(
        limits.of.get(name, limits.all),
        what=what,
        advice=f"--call-timeout {name}=2h allows it two hours, {name}=none any time" if name else "",
    )


@lru_cache(maxsize=256)
def _name_in(what: str) -> str:
    match = re.search(r"'([^']+)'", what)
    return match[1] if match else ""


def limits_by_name() -> Mapping[str, float | None]:
    """Return the limits in seconds (None: no limit) of the components for which one is set.

    Raises:
        ConfigError: What is set is neither durations nor ``none``.
    """
    return _limits_in(os.environ.get(CALL_LIMITS, "")).of


@lru_cache(maxsize=16)
def _limits_in(text: str) -> _CallLimits:
    """Read what stands in the environment variable; see :func:`limits_by_name`."""
    limits: dict[str, float | None] = {"": DEFAULT_CALL_LIMIT}
    for part in re.split(r"[,\s]+", text.strip()) if text.strip() else ():
        name, _, duration = part.rpartition("=")
        try:
            limits[name] = None if duration == "none" else seconds(duration)
        except ValueError as error:
            raise ConfigError(
                f"--call-timeout {part}: {error}, or none; NAME=2h is about one component ({CALL_LIMITS})"
            ) from error
    everything = limits.pop("")
    return _CallLimits(everything, MappingProxyType(limits))
