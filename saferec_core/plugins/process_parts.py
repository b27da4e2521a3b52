"""The state that a whole process shares: how each part of it is read, and how it is put back."""

from __future__ import annotations

import builtins
import gc
import locale
import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any, NamedTuple

from saferec_core.plugins.descriptors import descriptors, put_back_descriptors
from saferec_core.plugins.finders import finders, put_back_finders
from saferec_core.plugins.generators import GENERATORS, random_state, restore_random_state
from saferec_core.plugins.library_settings import library_settings, put_back_library_settings

try:
    import resource
except ImportError:  # there is no POSIX
    resource = None  # type: ignore[assignment]

__all__ = ["PARTS", "PARTS_AT_LOADING", "Part"]

_SIGNALS = tuple(
    getattr(signal, f"SIG{name}")
    for name in ("INT", "TERM", "ALRM", "CHLD", "HUP", "PIPE", "QUIT", "USR1", "USR2", "VTALRM", "PROF")
    if hasattr(signal, f"SIG{name}")
)
_RESOURCES = {
    name: getattr(resource, f"RLIMIT_{name}")
    for name in ("NOFILE", "FSIZE", "AS", "CPU", "NPROC")
    if hasattr(resource, f"RLIMIT_{name}")
}
"""Empty where there is no POSIX."""


class Part(NamedTuple):
    """One part of a process's state."""

    read: Callable[[], Any]
    put_back: Callable[[Any], object]


_ENVIRONMENT = os.environ


def _environment() -> tuple[int, dict[Any, Any]]:
    """Return what holds the environment, and what it holds as it is kept: decoding takes 50 microseconds."""
    return id(os.environ), dict(getattr(_ENVIRONMENT, "_data", _ENVIRONMENT))


def _put_back_environment(before: tuple[int, dict[Any, Any]]) -> None:
    os.environ = _ENVIRONMENT  # noqa: B003 - the very object, which the process reads
    wanted = {os.fsdecode(name): os.fsdecode(value) for name, value in before[1].items()}
    for name in set(os.environ) - set(wanted):
        del os.environ[name]
    os.environ.update(wanted)


def _folder() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - the very text
    except OSError:
        return ""  # it was deleted


def _logging() -> tuple[Any, ...]:
    loggers = (logging.root, *(logging.getLogger(name) for name in ("saferec", "saferec.plugins")))
    return (
        (logging.root.manager.disable, logging.raiseExceptions, logging.getLoggerClass()),
        *((each, each.level, each.disabled, each.propagate, tuple(each.handlers)) for each in loggers),
    )


def _put_back_logging(before: tuple[Any, ...]) -> None:
    (disabled, logging.raiseExceptions, logger_class), *loggers = before
    logging.disable(disabled)
    logging.setLoggerClass(logger_class)
    for logger, level, logger.disabled, logger.propagate, handlers in loggers:
        logger.setLevel(level)
        logger.handlers[:] = handlers


def _handlers() -> tuple[Any, ...]:
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ()) if hasattr(signal, "pthread_sigmask") else set()
    return tuple(map(signal.getsignal, _SIGNALS)), frozenset(blocked)


def _put_back_handlers(before: tuple[Any, ...]) -> None:
    handlers, blocked = before
    if threading.current_thread() is threading.main_thread():  # nobody else can have changed them
        for number, handler, now in zip(_SIGNALS, handlers, _handlers()[0], strict=True):
            if handler is not now:
                signal.signal(number, handler)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _limits() -> dict[str, tuple[int, int]]:
    return {name: resource.getrlimit(number) for name, number in _RESOURCES.items()}


def _put_back_limits(before: dict[str, tuple[int, int]]) -> None:
    for name, (soft, _) in before.items():
        now, hard = resource.getrlimit(_RESOURCES[name])
        if now != soft:
            with suppress(ValueError, OSError):  # a hard limit that was lowered below it stays so
                resource.setrlimit(_RESOURCES[name], (soft, hard))


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _pending_timers() -> tuple[bool, ...]:
    return tuple(signal.getitimer(timer)[0] > 0 for timer in _TIMERS)


def _put_back_timers(were_pending: tuple[bool, ...]) -> None:
    for timer, was_pending in zip(_TIMERS, were_pending, strict=True):
        if not was_pending:  # else the limit on this very code was taken away, and it has ended by now
            signal.setitimer(timer, 0)


_TIMERS = [
    getattr(signal, name)
    for name in ("ITIMER_REAL", "ITIMER_VIRTUAL", "ITIMER_PROF")
    if hasattr(signal, name)
]


def _put_back_filters(before: tuple[Any, ...]) -> None:
    warnings.filters[:] = before  # type: ignore[index]
    warnings._filters_mutated()  # type: ignore[attr-defined]


_STREAMS = ("stdin", "stdout", "stderr")


def _streams() -> tuple[tuple[Any, bool], ...]:
    return tuple((stream, getattr(stream, "closed", False)) for stream in map(sys.__dict__.get, _STREAMS))


def _put_back_streams(before: tuple[tuple[Any, bool], ...]) -> None:
    for number, (name, (stream, was_closed)) in enumerate(zip(_STREAMS, before, strict=True)):
        if getattr(stream, "closed", False) and not was_closed:  # its descriptor was put back
            mode = "w" if number else "r"
            stream = open(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115, PLW2901
        setattr(sys, name, stream)


def _put_back_builtins(before: dict[str, Any]) -> None:
    for name in vars(builtins).keys() - before.keys():
        del vars(builtins)[name]
    vars(builtins).update(before)


def _collection() -> tuple[Any, ...]:
    return gc.isenabled(), gc.get_threshold(), gc.get_debug(), tuple(map(id, gc.callbacks))


def _put_back_collection(before: tuple[Any, ...]) -> None:
    (gc.enable if before[0] else gc.disable)()
    gc.set_threshold(*before[1])
    gc.set_debug(before[2])
    gc.callbacks[:] = [each for each in gc.callbacks if id(each) in before[3]]


def _hooks_of_the_interpreter() -> tuple[Any, ...]:
    replaceable = sys.excepthook, sys.unraisablehook, sys.displayhook, threading.excepthook
    return sys.gettrace(), sys.getprofile(), replaceable


def _put_back_hooks(before: tuple[Any, ...]) -> None:
    sys.settrace(before[0])
    sys.setprofile(before[1])
    sys.excepthook, sys.unraisablehook, sys.displayhook, threading.excepthook = before[2]


def _interpreter() -> tuple[Any, ...]:
    return sys.getswitchinterval(), sys.get_int_max_str_digits(), sys.dont_write_bytecode, sys.pycache_prefix


def _put_back_interpreter(before: tuple[Any, ...]) -> None:
    interval, digits, sys.dont_write_bytecode, sys.pycache_prefix = before
    sys.setswitchinterval(interval)
    sys.set_int_max_str_digits(digits)


def _put_back_path(before: list[str]) -> None:
    sys.path[:] = before


def _put_back_arguments(before: list[str]) -> None:
    sys.argv[:] = before


PARTS: Mapping[str, Part] = MappingProxyType(
    {
        "the environment": Part(_environment, _put_back_environment),
        "the working folder": Part(_folder, os.chdir),
        "sys.path": Part(lambda: list(sys.path), _put_back_path),
        "how modules are found": Part(finders, put_back_finders),
        "sys.argv": Part(lambda: list(sys.argv), _put_back_arguments),
        "the logging of the process": Part(_logging, _put_back_logging),
        "the timer of the process": Part(_pending_timers, _put_back_timers),
        "the handlers of signals": Part(_handlers, _put_back_handlers),
        "a hook of the interpreter (sys.excepthook, trace or profile)": Part(
            _hooks_of_the_interpreter, _put_back_hooks
        ),
        "the filters of warnings": Part(lambda: tuple(warnings.filters), _put_back_filters),
        "the files of standard input, output and error": Part(descriptors, put_back_descriptors),
        "the standard streams": Part(_streams, _put_back_streams),
        "the builtins": Part(lambda: dict(vars(builtins)), _put_back_builtins),
        "the locale": Part(
            lambda: locale.setlocale(locale.LC_ALL), lambda old: locale.setlocale(locale.LC_ALL, old)
        ),
        "the recursion limit": Part(sys.getrecursionlimit, sys.setrecursionlimit),
        "the garbage collector": Part(_collection, _put_back_collection),
        "settings of the interpreter": Part(_interpreter, _put_back_interpreter),
        "the limits of the process": Part(_limits, _put_back_limits),
        "settings of NumPy, torch or the standard library": Part(library_settings, put_back_library_settings),
        GENERATORS: Part(lambda: MappingProxyType(dict(random_state())), restore_random_state),
    }
)
PARTS_AT_LOADING: Mapping[str, Part] = MappingProxyType({"the umask": Part(_umask, os.umask)})
