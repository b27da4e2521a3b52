"""What code of a plugin may not leave changed: the state that a whole process shares."""

from __future__ import annotations

import logging
import os
import random
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, NamedTuple

__all__ = ["GENERATORS", "advance_random_state", "random_state", "restore_random_state", "surroundings_kept"]

RandomState = Mapping[str, Any]
"""The state of each global random generator, by the module that has it."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
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
    """Compare; a random generator that was not loaded before has no state to put back."""
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


def _put_back_path(before: list[str]) -> None:
    sys.path[:] = before


def _put_back_arguments(before: list[str]) -> None:
    sys.argv[:] = before


def _put_back_excepthook(before: Any) -> None:
    sys.excepthook = before


_PARTS: Mapping[str, _Part] = MappingProxyType(
    {
        "the environment": _Part(lambda: dict(os.environ), _put_back_environment),
        "the working folder": _Part(_folder, os.chdir),
        "sys.path": _Part(lambda: list(sys.path), _put_back_path),
        "sys.argv": _Part(lambda: list(sys.argv), _put_back_arguments),
        "the logging of the process": _Part(_logging, _put_back_logging),
        "the handlers of signals": _Part(_handlers, _put_back_handlers),
        "sys.excepthook": _Part(lambda: sys.excepthook, _put_back_excepthook),
        GENERATORS: _Part(lambda: MappingProxyType(dict(random_state())), restore_random_state),
    }
)
