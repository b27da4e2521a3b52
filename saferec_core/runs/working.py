"""One command at a time works on a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from filelock import FileLock, Timeout

from saferec_core.errors import RunError
from saferec_core.runs.distributed import from_main
from saferec_core.runs.layout import RunLayout

__all__ = ["working_on"]


@contextmanager
def working_on(run: RunLayout) -> Iterator[None]:
    """Keep others from continuing a run meanwhile; the lock ends with the process, however that ends.

    Where the file system has no locks, nothing is kept from anybody.

    Raises:
        RunError: Another command works on it; raised on every process.
    """
    lock = FileLock(run.lock, timeout=0)

    def take() -> None:
        try:
            with suppress(NotImplementedError):
                lock.acquire()
        except Timeout as error:
            raise RunError(
                f"another process works on run {run.path} ({run.heartbeat(0)} names it); wait until it has "
                "ended, or end it"
            ) from error

    from_main(take)
    try:
        yield
    finally:
        lock.release()
