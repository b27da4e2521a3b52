"""Keep code of a plugin from ending the process, or from going on in a copy of it.

``os._exit``, ``os.abort``, a signal that a plugin sends to its own process and a program that it puts in its
place (``os.execv``) leave no exception to catch. The functions themselves are therefore replaced, once, by
ones that raise ``SystemExit`` while a plugin's code runs in the main thread. A process that a plugin has
forked and that returns from the plugin's code would run the rest of the command a second time: it ends there.
A crash in a C extension, and a signal that somebody else sends, cannot be kept off; who was at work then is
said by `saferec_core.plugins.last_words`.
"""

from __future__ import annotations

import atexit
import logging
import os
import signal
import sys
import threading
from _thread import get_ident
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from functools import wraps
from types import FrameType
from typing import Any

__all__ = ["endings_guarded", "note_package", "within_plugin"]

_HARMLESS = {"SIGCHLD", "SIGCONT", "SIGURG", "SIGWINCH"}
"""Signals that do nothing where nobody listens."""


class _Within:
    """The code of a plugin runs in the main thread; may be entered many times."""

    __slots__ = ("depth", "forked_at")

    def __init__(self) -> None:
        self.depth = 0
        """How many calls of plugins the main thread is in."""
        self.forked_at = 0
        """How many it was in as the process was forked from another."""

    def __enter__(self) -> None:
        if get_ident() == _MAIN:
            self.depth += 1

    def __exit__(self, *_: object) -> None:
        if get_ident() == _MAIN:
            if 0 < self.depth <= self.forked_at:
                _hard_exit(1)
            self.depth = max(0, self.depth - 1)  # 0: a generator that another thread had begun is closed


_MAIN = threading.main_thread().ident
within_plugin = _Within()
_hard_exit = os._exit


def _note_fork() -> None:
    global _MAIN  # noqa: PLW0603 - the thread that forks is the main one of the new process
    within_plugin.forked_at = within_plugin.depth if get_ident() == _MAIN else 0
    _MAIN = get_ident()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)


def _guarded(module: Any, name: str, ends: Callable[..., bool] = lambda *_: True) -> None:
    """Replace a function that may end the process by one that raises instead, where it would."""
    end = getattr(module, name, None)
    if end is None:  # not on this system
        return

    @wraps(end)
    def raising(*arguments: Any, **named: Any) -> Any:
        if (
            within_plugin.depth > within_plugin.forked_at
            and get_ident() == _MAIN
            and ends(*arguments, **named)
        ):
            what = f"{module.__name__}.{name}({', '.join(map(repr, arguments))})"
            raise SystemExit(what if name != "_exit" else arguments[0] if arguments else named.get("status"))
        return end(*arguments, **named)

    setattr(module, name, raising)


def _is_deadly(number: int) -> bool:
    """Whether a signal ends this process: where nobody listens, or nobody can."""
    if number in {signal.SIGKILL, signal.SIGSTOP}:
        return True
    return _does_something(number) and signal.getsignal(number) is signal.SIG_DFL


def _does_something(number: int) -> bool:
    return number != 0 and signal.Signals(number).name not in _HARMLESS


def _kills_itself(process: int, number: int) -> bool:
    if process == os.getpid():
        return _is_deadly(number)
    # Others of the group do not listen as this process does.
    return process in {0, -1, -os.getpgrp()} and _does_something(number)


def _kills_its_group(group: int, number: int) -> bool:
    return group in {0, os.getpgrp()} and _does_something(number)


if os.name == "posix":
    _guarded(os, "kill", _kills_itself)
    _guarded(os, "killpg", _kills_its_group)
    _guarded(signal, "raise_signal", _is_deadly)
    _guarded(signal, "pthread_kill", lambda _thread, number: _is_deadly(number))
for _name in ("_exit", "abort", "execv", "execve"):
    _guarded(os, _name)


_add_audit_hook = sys.addaudithook


_outside_packages: set[str] = set()
"""Top-level names of the packages that plugins consist of; libraries that they import are not among them."""


def note_package(module: str) -> None:
    """Note that a module, with all beside it in its package, is the code of a plugin of others."""
    _outside_packages.add(module.partition(".")[0])


def _is_called_by_plugin(frame: FrameType | None) -> bool:
    """Whether code of a plugin itself calls, and not a library: filelock and debuggers add audit hooks."""
    while frame is not None and (name := frame.f_globals.get("__name__")) not in sys.modules:
        frame = frame.f_back  # code without a module of its own, as in exec
    return frame is not None and str(name).partition(".")[0] in _outside_packages


@wraps(_add_audit_hook)
def _refusing(hook: Callable[..., Any]) -> None:
    # One that raises would end every command.
    if within_plugin.depth and get_ident() == _MAIN and _is_called_by_plugin(sys._getframe(1)):
        raise PermissionError("a plugin must not add an audit hook, which nobody can remove again")
    _add_audit_hook(hook)


sys.addaudithook = _refusing


class _AtExit:
    """A function that a plugin has registered for the end of the process, and that cannot disturb it."""

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function

    def __eq__(self, other: object) -> bool:
        return bool(self._function == other)  # as atexit.unregister asks

    __hash__ = None  # type: ignore[assignment]

    def __call__(self, *arguments: Any, **named: Any) -> None:
        with within_plugin, redirect_stdout(sys.stderr):  # what a command printed may be read by a program
            try:
                self._function(*arguments, **named)
            except BaseException as error:  # noqa: BLE001 - whatever it raises, the command has ended well
                logging.getLogger("saferec.plugins").warning(
                    "what a plugin left for the end of the process failed: %s", type(error).__name__
                )


@contextmanager
def endings_guarded() -> Iterator[None]:
    """Keep what is registered by ``atexit`` meanwhile from failing aloud or changing the exit status."""
    register = atexit.register

    def guarded(function: Any, *arguments: Any, **named: Any) -> Any:
        register(_AtExit(function), *arguments, **named)
        return function

    atexit.register = guarded  # type: ignore[assignment]
    try:
        yield
    finally:
        atexit.register = register
