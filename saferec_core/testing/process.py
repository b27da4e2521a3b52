"""What a call leaves behind in its process: output, seeds, threads, settings."""

from __future__ import annotations

import io
import locale
import logging
import os
import random
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

__all__ = ["noting_changes", "output_of"]


@contextmanager
def noting_changes(changes: set[str]) -> Iterator[None]:
    """Add to *changes* what the block changes in the process; environment and random numbers are put back."""
    random_states = _random_states()
    _advance()  # or a seed that was set before would not show when it is set again
    environment = dict(os.environ)
    before = _state()
    try:
        yield
    finally:
        after = _state()
        changes.update(f"it changes {what}" for what, value in before.items() if after[what] != value)
        os.environ.clear()
        os.environ.update(environment)
        _restore(random_states)


def output_of(call: Callable[[], object]) -> list[str]:
    """Make a call and say what it prints and what it warns of."""
    printed = io.StringIO()
    with redirect_stdout(printed), redirect_stderr(printed), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        call()
    said = [f"it warns: {warned[0].category.__name__}: {warned[0].message}"] if warned else []
    if text := printed.getvalue():
        said.append(f"it prints {text[:60]!r}")
    return said


def _state() -> Mapping[str, Any]:
    """Return what every part of a process relies on, by what it is called."""
    state: dict[str, Any] = {
        "environment variables": dict(os.environ),
        "sys.path": tuple(sys.path),
        "the working folder": Path.cwd(),
        "the locale": locale.setlocale(locale.LC_ALL),
        "the filters of warnings": tuple(warnings.filters),
        "logging": (logging.root.level, tuple(logging.root.handlers), logging.root.manager.disable),
        "the recursion limit": sys.getrecursionlimit(),
        "sys.stdout or sys.stderr": (sys.stdout, sys.stderr),
        "the threads that run": {thread.ident for thread in threading.enumerate()},
    }
    for library, numbers in _random_states().items():
        state[f"the random numbers of {library} (draw from a generator of your own)"] = numbers
    if numpy := sys.modules.get("numpy"):
        state["numpy's handling of errors"] = tuple(numpy.geterr().items())
    if torch := sys.modules.get("torch"):
        state["torch's number of threads"] = torch.get_num_threads()
        state["torch's default dtype"] = torch.get_default_dtype()
        state["whether torch records gradients"] = torch.is_grad_enabled()
        state["whether torch is deterministic"] = torch.are_deterministic_algorithms_enabled()
    return state


def _random_states() -> dict[str, Any]:
    """Return the state of each generator that all of a process share."""
    states: dict[str, Any] = {"Python": random.getstate()}
    if numpy := sys.modules.get("numpy"):
        kind, keys, *others = numpy.random.get_state()
        states["numpy"] = (kind, tuple(keys.tolist()), *others)
    if torch := sys.modules.get("torch"):
        states["torch"] = tuple(torch.random.get_rng_state().tolist())
    return states


def _advance() -> None:
    random.random()
    if numpy := sys.modules.get("numpy"):
        numpy.random.random()
    if torch := sys.modules.get("torch"):
        torch.rand(1)


def _restore(states: Mapping[str, Any]) -> None:
    random.setstate(states["Python"])
    if "numpy" in states:
        sys.modules["numpy"].random.set_state(states["numpy"])
    if "torch" in states:
        torch = sys.modules["torch"]
        torch.random.set_rng_state(torch.tensor(states["torch"], dtype=torch.uint8))
