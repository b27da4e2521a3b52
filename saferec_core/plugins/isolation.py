"""Import and call the code of a plugin so that it cannot take the command down or change its surroundings.

Within :class:`Isolation` the output of a plugin is captured, its exceptions are kept (``SystemExit`` and a
``KeyboardInterrupt`` of its own included), and what it changes of the process is put back: environment,
working folder, ``sys.path``, ``sys.argv``, warning filters, root logger, signal handlers, and the global
random generators. Threads that it starts cannot keep the process from ending. What was captured or put back
is reported as :attr:`Isolation.notes`; :mod:`saferec_core.plugins.patches` looks after modules of others. A
crash in a C extension ends the process all the same; :mod:`saferec_core.plugins.last_words` names the plugin.
"""

from __future__ import annotations

import io
import logging
import os
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from dis import get_instructions
from types import TracebackType
from typing import IO, Self

from saferec_core.plugins.endings import endings_guarded, within_plugin
from saferec_core.plugins.last_words import at_work
from saferec_core.plugins.plain_text import plain
from saferec_core.plugins.surroundings import surroundings_kept
from saferec_core.plugins.time_limits import PluginTimeoutError, time_limit

__all__ = [
    "LOGGER",
    "Isolation",
    "in_words",
    "is_any",
    "is_interrupt_by_user",
]

LOGGER = logging.getLogger("saferec.plugins")
"""Where the original traceback of a plugin's failure goes; the command line shows it with ``--verbose``."""

_SETTING = "SAFEREC_PLUGIN_TIMEOUT"
_TIME_LIMIT = 60.0
"""Seconds that importing a plugin may take unless the environment variable says otherwise."""

_MOST_SHOWN = 200
_MOST_WARNINGS = 5
_LONGEST_MESSAGE = 2000
_FROM_USER = ("asyncio.", "saferec_core.runs.", "saferec_cli.", "threading", "signal")
"""Modules whose code raises ``KeyboardInterrupt`` because the user pressed Ctrl-C."""


class Isolation(AbstractContextManager["Isolation"]):
    """Runs a plugin's code; afterwards *failure* and *notes* say what it did.

    Example:
        >>> with Isolation() as run:
        ...     plugin = entry_point.load()
        >>> run.failure, run.notes
    """

    def __init__(self, what: str = "", *, limit: float | None = None) -> None:
        """Prepare to run code.

        Args:
            what: The plugin, to be named if the process dies; empty: what is built in.
            limit: Seconds that it may take, kept in the main thread only; None: the default.
        """
        self.failure: BaseException | None = None
        """What the code raised; None if it returned."""
        self.notes: list[str] = []
        """What it printed, warned of or changed, a sentence each."""
        self._what = what
        self._limit = _time_limit() if limit is None else limit
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Take note of everything that is put back later."""
        with ExitStack() as stack:
            stack.enter_context(at_work(self._what) if self._what else nullcontext())
            stack.enter_context(surroundings_kept(self.notes, loading=True))
            stack.enter_context(_output(self.notes))
            stack.enter_context(_warnings(self.notes))
            stack.enter_context(endings_guarded())
            stack.enter_context(within_plugin)
            stack.enter_context(_daemon_threads(self.notes))
            stack.enter_context(time_limit(self._limit, advice=f"{_SETTING}=SECONDS allows more"))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Put everything back, and keep a failure unless it is the user's Ctrl-C."""
        try:
            self._stack.close()
        except PluginTimeoutError as late:
            failure = late if failure is None else failure
        if failure is None:
            return False
        if is_interrupt_by_user(failure):
            return False
        self.failure = failure
        return True


def is_interrupt_by_user(failure: BaseException) -> bool:
    """Tell Ctrl-C from a ``KeyboardInterrupt`` that a plugin raises itself.

    A signal interrupts code at any instruction; whoever raises does so by a ``raise`` statement. Other
    requests to stop (``RunStopped`` of :mod:`saferec_core.runs.stopping`) come from handlers of saferec.
    """
    if is_any(failure, Exception, SystemExit, PluginTimeoutError):
        return False
    trace = failure.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return True
    module = str(trace.tb_frame.f_globals.get("__name__", ""))
    if f"{module}.".startswith(_FROM_USER):
        return True
    instructions = get_instructions(trace.tb_frame.f_code)
    name = next((each.opname for each in instructions if each.offset == trace.tb_lasti), "")
    return name != "RAISE_VARARGS"


def is_any(failure: BaseException, *kinds: type[BaseException]) -> bool:
    """Whether a failure is of one of the *kinds*; ``isinstance`` asks the object itself, which may raise."""
    return issubclass(type(failure), kinds)


def _time_limit() -> float:
    with suppress(ValueError):
        return float(os.environ.get(_SETTING, _TIME_LIMIT))
    return _TIME_LIMIT


@contextmanager
def _output(notes: list[str]) -> Iterator[None]:
    """Capture what is written to the standard streams, by Python or by their file descriptors."""
    streams, originals = (sys.stdin, sys.stdout, sys.stderr), (sys.__stdout__, sys.__stderr__)
    text = io.StringIO()
    with ExitStack() as stack:
        held = stack.enter_context(tempfile.TemporaryFile())
        for stream, number in ((sys.__stdout__, 1), (sys.__stderr__, 2)):
            _redirect(stack, stream, number, held)
        sys.stdin, sys.stdout, sys.stderr = io.StringIO(), text, text
        try:
            yield
        finally:
            sys.stdin, sys.stdout, sys.stderr = streams
            sys.__stdout__, sys.__stderr__ = originals  # type: ignore[misc]
            for stream in originals:
                _flush(stream)
            held.seek(0)
            written = text.getvalue() + held.read().decode(errors="replace")
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(getattr(sys, name), "closed", False) and getattr(sys, name) is getattr(sys, f"__{name}__"):
            opened = open(number, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
            setattr(sys, name, opened)
            setattr(sys, f"__{name}__", opened)
            notes.append(f"closed sys.{name} (opened again)")
    if shown := " ".join(written.split()):
        notes.append(f"printed {shown[:_MOST_SHOWN]!r}{'...' if len(shown) > _MOST_SHOWN else ''}")


def _redirect(stack: ExitStack, stream: IO[str] | None, number: int, held: IO[bytes]) -> None:
    """Send a file descriptor to *held* until *stack* closes; one that is closed stays so."""
    try:
        _flush(stream)
        copy = os.dup(number)
    except OSError:
        return
    os.dup2(held.fileno(), number)

    def put_back() -> None:
        os.dup2(copy, number)
        os.close(copy)

    stack.callback(put_back)


def _flush(stream: IO[str] | None) -> None:
    with suppress(OSError, ValueError):
        if stream is not None:
            stream.flush()


@contextmanager
def _warnings(notes: list[str]) -> Iterator[None]:
    """Keep warning filters as they are, and note each different warning once."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        inside = list(warnings.filters)
        yield
        changed = list(warnings.filters) != inside
    if changed:
        notes.append("changed the warning filters (put back)")
    texts = dict.fromkeys(f"warned: {each.category.__name__}: {each.message}" for each in caught)
    notes.extend(list(texts)[:_MOST_WARNINGS])


@contextmanager
def _daemon_threads(notes: list[str]) -> Iterator[None]:
    """Keep threads that are started meanwhile from holding the process up at its end."""
    start = threading.Thread.start
    before = set(threading.enumerate())

    def start_as_daemon(thread: threading.Thread) -> None:
        if threading.current_thread() in before:
            thread.daemon = True
        start(thread)

    threading.Thread.start = start_as_daemon  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        threading.Thread.start = start  # type: ignore[method-assign]
    left = set(threading.enumerate()) - before
    notes.extend(sorted(f"left a thread running: {thread.name}" for thread in left))


def in_words(failure: BaseException) -> str:
    """Return the type and message of a failure, in one short line, even of one that cannot say what it is."""
    if is_any(failure, PluginTimeoutError):
        return str(failure)
    try:
        message = str(failure)
    except BaseException:  # noqa: BLE001 - a plugin's own exception class may raise whatever it likes
        message = "(its message cannot be read)"
    shown = message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]} ..."
    return plain(f"{type(failure).__name__}: {shown}")
