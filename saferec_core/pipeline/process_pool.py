"""Processes that work on parts, one step of a chain after the other."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context, parent_process
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from saferec_core.errors import RunError

__all__ = ["Workers", "collecting_rarely", "ended_from_outside"]

P = ParamSpec("P")
T = TypeVar("T")

_OBJECTS = 50_000
"""New objects after which Python looks for cycles to free: more than the rows of a part are made of."""


class Workers:
    """So many processes, started when the first of them is needed and ended with the block."""

    def __init__(self, number: int) -> None:
        """Start none yet."""
        self.number = number
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def submit(self, task: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> Future[T]:
        """Have a process do a task, which is a function of a module."""
        if self._pool is None:
            # Spawned, not forked: Arrow's and BLAS's threads do not survive a fork.
            self._pool = ProcessPoolExecutor(self.number, get_context("spawn"), _prepare)
        return self._pool.submit(task, *arguments, **options)

    def begin(self, task: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> Callable[[], T]:
        """Have a task done beside, and return what gives its result.

        Where there is no more than one process, the task is done when its result is asked for.
        """
        if self.number == 1:
            return partial(task, *arguments, **options)
        future = self.submit(task, *arguments, **options)

        def result() -> T:
            try:
                return future.result()
            except BrokenProcessPool as error:
                raise ended_from_outside(task.__name__) from error

        return result


def ended_from_outside(what: str) -> RunError:
    """Say that a process was killed while it worked at something."""
    return RunError(
        f"{what}: a process was ended from outside, for want of memory perhaps; try a smaller --num-proc. "
        "What was done is kept, run the same command to go on."
    )


@contextmanager
def collecting_rarely() -> Iterator[None]:
    """Have Python look for cycles to free less often.

    Rows are many small objects without cycles; to look at them over and over takes a fifth of the time.
    """
    before = gc.get_threshold()
    gc.set_threshold(_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _prepare() -> None:
    """Make a process ready; it ends with its parent, however that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which ends it
    gc.set_threshold(_OBJECTS, *gc.get_threshold()[1:])
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
