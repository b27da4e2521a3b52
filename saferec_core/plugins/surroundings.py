"""What code of a plugin may not leave changed: the state that a whole process shares."""

from __future__ import annotations

import builtins
import gc
import locale
import logging
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, NamedTuple

__all__ = ["GENERATORS", "advance_random_state", "random_state", "restore_random_state", "surroundings_kept"]

RandomState = Mapping[str, Any]
"""The state of each global random generator, by the module that has it."""

_SIGNALS = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGALRM", "SIGCHLD", "SIGHUP", "SIGPIPE")
    if hasattr(signal, name)
)
_MOST_NAMED = 5

GENERATORS = "the global random generators"
"""What notes call them."""


@contextmanager
def surroundings_kept(notes: list[str]) -> Iterator[None]:
    """Put back what code changes meanwhile, and note what it was."""
    before = {what: part.read() for what, part in _PARTS.items()}
    try:
        yield
    finally:
        for what, part in _PARTS.items():
            after = part.read()
            if _changed(before[what], after):
                part.put_back(before[what])
                notes.append(f"changed {what}{_keys_changed(before[what], after)} (put back)")


def random_state() -> RandomState:
    """Return the states of the global random generators: Python's, and NumPy's and torch's if loaded."""
    states: dict[str, Any] = {"random": random.getstate()}
    numpy: Any = sys.modules.get("numpy.random")
    torch: Any = sys.modules.get("torch")
    if hasattr(numpy, "get_state"):
        kind, keys, *others = numpy.get_state()
        states["numpy"] = (kind, tuple(keys.tolist()), *others)
    if hasattr(torch, "get_rng_state"):
        states["torch"] = torch.get_rng_state().numpy().tobytes()
    return states


def restore_random_state(before: RandomState) -> None:
    """Put back what :func:`random_state` returned."""
    random.setstate(before["random"])
    if "numpy" in before:
        sys.modules["numpy.random"].set_state(before["numpy"])
    if "torch" in before:
        torch = sys.modules["torch"]
        torch.set_rng_state(torch.frombuffer(bytearray(before["torch"]), dtype=torch.uint8))


def advance_random_state() -> None:
    """Draw a number from each global random generator, so that what was put back is not drawn again."""
    random.random()
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].random()
    if "torch" in sys.modules:
        sys.modules["torch"].rand(())


class _Part(NamedTuple):
    """One part of a process's state."""

    read: Callable[[], Any]
    put_back: Callable[[Any], object]


def _changed(before: Any, after: Any) -> bool:
    """Compare; a module that was not loaded before has no state to put back."""
    if isinstance(before, MappingProxyType):
        return any(after[module] != state for module, state in before.items())
    return bool(before != after)


def _keys_changed(before: Any, after: Any) -> str:
    if not isinstance(before, dict):
        return ""
    keys = sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))
    return f": {', '.join(keys[:_MOST_NAMED])}{', ...' if len(keys) > _MOST_NAMED else ''}"


def _put_back_environment(before: dict[str, str]) -> None:
    for name in set(os.environ) - set(before):
        del os.environ[name]
    os.environ.update(before)


def _folder() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - the very text
    except OSError:
        return ""  # it was deleted


def _logging() -> tuple[int, int, tuple[logging.Handler, ...]]:
    return logging.root.level, logging.root.manager.disable, tuple(logging.root.handlers)


def _put_back_logging(before: tuple[int, int, tuple[logging.Handler, ...]]) -> None:
    logging.root.setLevel(before[0])
    logging.disable(before[1])
    logging.root.handlers[:] = before[2]


def _handlers() -> tuple[Any, ...]:
    return tuple(signal.getsignal(number) for number in _SIGNALS)


def _put_back_handlers(before: tuple[Any, ...]) -> None:
    if threading.current_thread() is threading.main_thread():  # nobody else can have changed them
        for number, handler in zip(_SIGNALS, before, strict=True):
            signal.signal(number, handler)


def _pending_timer() -> bool:
    return hasattr(signal, "getitimer") and signal.getitimer(signal.ITIMER_REAL)[0] > 0


def _put_back_timer(was_pending: bool) -> None:
    if not was_pending:  # else the limit on this very code was taken away, and it has ended by now
        signal.setitimer(signal.ITIMER_REAL, 0)


def _put_back_filters(before: tuple[Any, ...]) -> None:
    warnings.filters[:] = before  # type: ignore[index]
    warnings._filters_mutated()  # type: ignore[attr-defined]


def _put_back_streams(before: tuple[Any, ...]) -> None:
    sys.stdin, sys.stdout, sys.stderr = before


def _put_back_builtins(before: dict[str, Any]) -> None:
    for name in vars(builtins).keys() - before.keys():
        delattr(builtins, name)
    vars(builtins).update(before)


def _collection() -> tuple[bool, tuple[int, ...]]:
    return gc.isenabled(), gc.get_threshold()


def _put_back_collection(before: tuple[bool, tuple[int, ...]]) -> None:
    (gc.enable if before[0] else gc.disable)()
    gc.set_threshold(*before[1])


def _hooks_of_the_interpreter() -> tuple[Any, ...]:
    return sys.excepthook, sys.gettrace(), sys.getprofile()


def _put_back_hooks(before: tuple[Any, ...]) -> None:
    sys.excepthook = before[0]
    sys.settrace(before[1])
    sys.setprofile(before[2])


def _libraries() -> Mapping[str, Any]:
    """Return the settings of libraries that are loaded, which change how everybody computes."""
    settings: dict[str, Any] = {}
    if hasattr(numpy := sys.modules.get("numpy"), "geterr"):
        settings["numpy"] = numpy.geterr()  # type: ignore[union-attr]
    if hasattr(torch := sys.modules.get("torch"), "are_deterministic_algorithms_enabled"):
        settings["torch"] = (
            torch.get_default_dtype(),  # type: ignore[union-attr]
            torch.is_grad_enabled(),  # type: ignore[union-attr]
            torch.get_num_threads(),  # type: ignore[union-attr]
            torch.are_deterministic_algorithms_enabled(),  # type: ignore[union-attr]
        )
    if "socket" in sys.modules:
        settings["socket"] = sys.modules["socket"].getdefaulttimeout()
    return MappingProxyType(settings)


def _put_back_libraries(before: Mapping[str, Any]) -> None:
    if "numpy" in before:
        sys.modules["numpy"].seterr(**before["numpy"])
    if "torch" in before:
        torch = sys.modules["torch"]
        dtype, records_gradients, threads, is_deterministic = before["torch"]
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(records_gradients)
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(is_deterministic)
    if "socket" in before:
        sys.modules["socket"].setdefaulttimeout(before["socket"])


def _put_back_path(before: list[str]) -> None:
    sys.path[:] = before


def _put_back_arguments(before: list[str]) -> None:
    sys.argv[:] = before


_PARTS: Mapping[str, _Part] = MappingProxyType(
    {
        "the environment": _Part(lambda: dict(os.environ), _put_back_environment),
        "the working folder": _Part(_folder, os.chdir),
        "sys.path": _Part(lambda: list(sys.path), _put_back_path),
        "sys.argv": _Part(lambda: list(sys.argv), _put_back_arguments),
        "the logging of the process": _Part(_logging, _put_back_logging),
        "the handlers of signals": _Part(_handlers, _put_back_handlers),
        "a hook of the interpreter (sys.excepthook, trace or profile)": _Part(
            _hooks_of_the_interpreter, _put_back_hooks
        ),
        "the timer of the process": _Part(_pending_timer, _put_back_timer),
        "the filters of warnings": _Part(lambda: tuple(warnings.filters), _put_back_filters),
        "the standard streams": _Part(lambda: (sys.stdin, sys.stdout, sys.stderr), _put_back_streams),
        "the builtins": _Part(lambda: dict(vars(builtins)), _put_back_builtins),
        "the locale": _Part(
            lambda: locale.setlocale(locale.LC_ALL), lambda old: locale.setlocale(locale.LC_ALL, old)
        ),
        "the recursion limit": _Part(sys.getrecursionlimit, sys.setrecursionlimit),
        "the garbage collector": _Part(_collection, _put_back_collection),
        "settings of NumPy, torch or sockets": _Part(_libraries, _put_back_libraries),
        GENERATORS: _Part(lambda: MappingProxyType(dict(random_state())), restore_random_state),
    }
)
