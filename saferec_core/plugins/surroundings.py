"""What code of a plugin may not leave changed: the state that a whole process shares."""

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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import MappingProxyType
from typing import Any, NamedTuple

from saferec_core.plugins.descriptors import descriptors, put_back_descriptors
from saferec_core.plugins.finders import Finders, finders, put_back_finders
from saferec_core.plugins.generators import GENERATORS, random_state, restore_random_state
from saferec_core.plugins.library_settings import library_settings, put_back_library_settings

try:
    import resource
except ImportError:  # there is no POSIX
    resource = None  # type: ignore[assignment]

__all__ = ["surroundings_kept"]

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
_MOST_NAMED = 5


@contextmanager
def surroundings_kept(notes: list[str], *, loading: bool = False) -> Iterator[None]:
    """Put back what code changes meanwhile, and note what it was.

    Args:
        notes: Takes what was changed.
        loading: Whether a plugin is loaded. The umask, which cannot be read without being set for a moment,
            is looked at only then: later, other threads write files.
    """
    parts = {**_PARTS, **_AT_LOADING} if loading else _PARTS
    before = {what: part.read() for what, part in parts.items()}
    try:
        yield
    finally:
        for what, part in parts.items():
            if note := _put_back(what, part, before[what]):
                notes.append(note)


def _put_back(what: str, part: _Part, before: Any) -> str:
    """Put back one part if it changed, and return a note on it, whatever a plugin has put in its place."""
    keys, outcome = "", "put back"
    try:
        after = part.read()
        if not _changed(before, after):
            return ""
        keys = _keys_changed(before, after)
    except Exception:  # noqa: BLE001 - what cannot be read or compared is not what it was
        keys = ""
    try:
        part.put_back(before)
    except Exception as error:  # noqa: BLE001 - the other parts are put back all the same
        outcome = f"cannot be put back: {type(error).__name__}"
    return f"changed {what}{keys} ({outcome})"


class _Part(NamedTuple):
    """One part of a process's state."""

    read: Callable[[], Any]
    put_back: Callable[[Any], object]


def _changed(before: Any, after: Any) -> bool:
    """Compare; a module that was not loaded before has no state to put back."""
    if isinstance(before, MappingProxyType):
        return any(after.get(module, state) != state for module, state in before.items())
    return bool(before != after)


def _keys_changed(before: Any, after: Any) -> str:
    """Name what changed of a state that has names."""
    if isinstance(before, Finders):
        return "".join(f": {name} came first" for name in after.put_before(before)[:1])
    if isinstance(before, tuple) and isinstance(before[-1], dict):
        before, after = before[-1], after[-1]
    if not isinstance(before, dict):
        return ""
    changed = (key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    keys = sorted(key.decode(errors="replace") if isinstance(key, bytes) else str(key) for key in changed)
    more = ", ..." if len(keys) > _MOST_NAMED else ""
    return f": {', '.join(keys[:_MOST_NAMED])}{more}" if keys else ""


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


_PARTS: Mapping[str, _Part] = MappingProxyType(
    {
        "the environment": _Part(_environment, _put_back_environment),
        "the working folder": _Part(_folder, os.chdir),
        "sys.path": _Part(lambda: list(sys.path), _put_back_path),
        "how modules are found": _Part(finders, put_back_finders),
        "sys.argv": _Part(lambda: list(sys.argv), _put_back_arguments),
        "the logging of the process": _Part(_logging, _put_back_logging),
        "the timer of the process": _Part(_pending_timers, _put_back_timers),
        "the handlers of signals": _Part(_handlers, _put_back_handlers),
        "a hook of the interpreter (sys.excepthook, trace or profile)": _Part(
            _hooks_of_the_interpreter, _put_back_hooks
        ),
        "the filters of warnings": _Part(lambda: tuple(warnings.filters), _put_back_filters),
        "the files of standard input, output and error": _Part(descriptors, put_back_descriptors),
        "the standard streams": _Part(_streams, _put_back_streams),
        "the builtins": _Part(lambda: dict(vars(builtins)), _put_back_builtins),
        "the locale": _Part(
            lambda: locale.setlocale(locale.LC_ALL), lambda old: locale.setlocale(locale.LC_ALL, old)
        ),
        "the recursion limit": _Part(sys.getrecursionlimit, sys.setrecursionlimit),
        "the garbage collector": _Part(_collection, _put_back_collection),
        "settings of the interpreter": _Part(_interpreter, _put_back_interpreter),
        "the limits of the process": _Part(_limits, _put_back_limits),
        "settings of NumPy, torch or the standard library": _Part(
            library_settings, put_back_library_settings
        ),
        GENERATORS: _Part(lambda: MappingProxyType(dict(random_state())), restore_random_state),
    }
)
_AT_LOADING: Mapping[str, _Part] = MappingProxyType({"the umask": _Part(_umask, os.umask)})
