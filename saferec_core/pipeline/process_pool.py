"""Worker processes for the parts of a file, shared by all steps of a chain."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from types import TracebackType
from typing import ParamSpec, Self, TypeVar

from saferec_core.errors import RunError
from saferec_core.runs.child import begin_child

__all__ = ["Workers", "collecting_rarely", "worker_killed"]

P = ParamSpec("P")
T = TypeVar("T")

_OBJECTS = 50_000
"""New objects after which Python looks for cycles to free: more than the rows of a part consist of."""


class Workers:
    """A pool of processes, started when first needed and ended with the block."""

    def __init__(self, number: int) -> None:
        """Prepare a pool of *number* processes without starting any."""
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
        """Run a task, a module-level function, in one of the processes."""
        if self._pool is None:
            # Spawned, not forked: Arrow's and BLAS's threads do not survive a fork.
            self._pool = ProcessPoolExecutor(self.number, get_context("spawn"), _prepare)
        return self._pool.submit(task, *arguments, **options)

    def begin(self, task: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> Callable[[], T]:
        """Start a task and return a function that waits for its result.

        With only one process, the task runs when its result is requested.
        """
        if self.number == 1:
            return partial(task, *arguments, **options)
        future = self.submit(task, *arguments, **options)

        def result() -> T:
            try:
                return future.result()
            except BrokenProcessPool as error:
                raise worker_killed(task.__name__) from error

        return result


def worker_killed(what: str) -> RunError:
    """Return the error for a worker that was killed."""
    return RunError(
        f"{what}: a worker process was killed (possibly out of memory); try a smaller --num-proc. Finished "
        "work is kept; run the same command again to resume."
    )


@contextmanager
def collecting_rarely() -> Iterator[None]:
    """Have Python collect reference cycles less often.

    Rows are many small objects without cycles; examining them again and again takes a fifth of the time.
    """
    before = gc.get_threshold()
    gc.set_threshold(_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _prepare() -> None:
    """Initialize a worker process."""
    begin_child()
    gc.set_threshold(_OBJECTS, *gc.get_threshold()[1:])
