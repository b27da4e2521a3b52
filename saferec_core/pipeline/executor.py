"""What runs the tasks of a chain, and how long they may wait: one protocol, whatever is behind it."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Future
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any, ParamSpec, Protocol, TypeVar

from saferec_core.errors import RunError

__all__ = ["OBJECTS_BETWEEN_COLLECTIONS", "Executor", "begin", "collecting_rarely", "worker_killed"]

P = ParamSpec("P")
T = TypeVar("T")

OBJECTS_BETWEEN_COLLECTIONS = 50_000
"""New objects after which Python looks for cycles to free: more than the rows of a part consist of."""


class Executor(AbstractContextManager[Any], Protocol):
    """Runs tasks elsewhere, shared by all steps of a chain; what it holds is released with the block."""

    @property
    def number(self) -> int:
        """Tasks that run at once; with 1 they may as well run here."""

    def submit(self, task: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> Future[T]:
        """Run a task, a module-level function, in another process.

        Returns:
            Its result, or the error that it raised; ``BrokenExecutor`` if its worker was killed and the task
            cannot be run again. A task that has not begun can be canceled.
        """


def begin(
    executor: Executor, task: Callable[P, T], *arguments: P.args, **options: P.kwargs
) -> Callable[[], T]:
    """Start a task and return a function that waits for its result.

    Where only one task runs at once, it runs when its result is requested.
    """
    if executor.number == 1:
        return partial(task, *arguments, **options)
    future = executor.submit(task, *arguments, **options)

    def result() -> T:
        try:
            return future.result()
        except BrokenExecutor as error:
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
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
