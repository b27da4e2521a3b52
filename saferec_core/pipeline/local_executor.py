"""Worker processes of this machine."""

from __future__ import annotations

import gc
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from saferec_core.pipeline.executor import OBJECTS_BETWEEN_COLLECTIONS
from saferec_core.plugins.parcels import packed, unpacked
from saferec_core.runs.child import begin_child

__all__ = ["LocalExecutor"]

P = ParamSpec("P")
T = TypeVar("T")


class LocalExecutor:
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
        """Run a task in one of the processes."""
        if self._pool is None:
            # Spawned, not forked: Arrow's and BLAS's threads do not survive a fork.
            self._pool = ProcessPoolExecutor(self.number, get_context("spawn"), _prepare)
        return self._pool.submit(_run, packed((task, arguments, options)))


def _run(parcel: bytes) -> Any:
    """Run a task in a worker process."""
    task, arguments, options = unpacked(parcel)
    return task(*arguments, **options)


def _prepare() -> None:
    """Initialize a worker process."""
    begin_child()
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS, *gc.get_threshold()[1:])
