"""What a call leaves behind in its process: output, seeds, threads, settings."""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

from saferec_core.plugins.surroundings import surroundings_kept

__all__ = ["noting_changes", "output_of"]


@contextmanager
def noting_changes(changes: set[str]) -> Iterator[None]:
    """Add to *changes* what the block changes in the process.

    It is put back, so that the next call shows the change again.
    """
    notes: list[str] = []
    threads = set(threading.enumerate())
    try:
        with surroundings_kept(notes):
            yield
    finally:
        changes.update(notes)
        if started := set(threading.enumerate()) - threads:
            changes.add(f"started a thread that keeps running: {started.pop().name}")


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
