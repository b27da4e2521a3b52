"""What a call leaves behind in its process: output, seeds, threads, settings."""

from __future__ import annotations

import io
import locale
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

from saferec_core.plugins.surroundings import surroundings_kept

__all__ = ["noting_changes", "output_of"]


@contextmanager
def noting_changes(changes: set[str]) -> Iterator[None]:
    """Add to *changes* what the block changes in the process.

    Environment, random numbers and the like are put back, so that the next call shows the change again.
    """
    notes: list[str] = []
    before, threads = _settings(), set(threading.enumerate())
    try:
        with surroundings_kept(notes):
            yield
    finally:
        after = _settings()
        changes.update(notes)
        if started := set(threading.enumerate()) - threads:
            changes.add(f"started a thread that goes on: {started.pop().name}")
        changes.update(f"changed {what}" for what, value in before.items() if after[what] != value)


def output_of(call: Callable[[], object]) -> list[str]:
    """Make a call and say what it prints and what it warns of."""
    printed = io.StringIO()
    with redirect_stdout(printed), redirect_stderr(printed), warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        call()
    traces = [f"warned: {warned[0].category.__name__}: {warned[0].message}"] if warned else []
    if text := printed.getvalue():
        traces.append(f"printed {text[:60]!r}")
    return traces


def _settings() -> Mapping[str, Any]:
    """Return what `surroundings_kept` does not look at, by what it is called."""
    settings: dict[str, Any] = {
        "the locale": locale.setlocale(locale.LC_ALL),
        "the filters of warnings": tuple(warnings.filters),
        "the recursion limit": sys.getrecursionlimit(),
        "sys.stdout or sys.stderr": (sys.stdout, sys.stderr),
    }
    if numpy := sys.modules.get("numpy"):
        settings["numpy's handling of errors"] = tuple(numpy.geterr().items())
    if torch := sys.modules.get("torch"):
        settings["torch's number of threads"] = torch.get_num_threads()
        settings["torch's default dtype"] = torch.get_default_dtype()
        settings["whether torch records gradients"] = torch.is_grad_enabled()
        settings["whether torch is deterministic"] = torch.are_deterministic_algorithms_enabled()
    return settings
