"""One command at a time works on a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from saferec_core.errors import RunError
from saferec_core.runs.distributed import from_main, is_main
from saferec_core.runs.layout import RunLayout

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["working_on"]


@contextmanager
def working_on(run: RunLayout) -> Iterator[None]:
    """Keep others from continuing a run meanwhile; the lock ends with the process, however that ends.

    The kernel's own lock, and none where the file system has no such locks: a lock that is only a file would
    outlive a process that is killed, whose run could then not be continued.

    Raises:
        RunError: Another command works on it, or its folder cannot be written; raised on every process.
    """
    held: list[IO[str]] = []

    def take() -> None:
        held.append(_locked(run))

    from_main(take)
    try:
        yield
    finally:
        if is_main():
            held.pop().close()


def _locked(run: RunLayout) -> IO[str]:
    try:
        file = run.lock.open("a", encoding="utf-8")
    except OSError as error:
        raise RunError(f"run folder {run.path} cannot be written: {error.strerror or error}") from error
    try:
        if fcntl is not None:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise RunError(
            f"another process works on run {run.path} ({run.heartbeat(0)} names it); wait until it has "
            "ended, or end it"
        ) from error
    except OSError:
        pass  # this file system has no locks
    return file
