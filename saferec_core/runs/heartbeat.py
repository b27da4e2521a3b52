"""What a run is doing at the moment, and the stacks of all threads if it does nothing for too long.

Code that may take long names itself with :func:`phase`. While a run is being watched, ``heartbeat.json`` of
its folder holds the phase, written anew every few seconds, and a run that has not changed its phase for
``stall_time`` writes the stacks of all of its threads to ``stacks.txt``: what is needed to see which process
waits for what. The stacks are written by a thread that does not need Python's lock, so that a run that hangs
within an engine is seen as well.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from saferec_core.errors import RunError
from saferec_core.files import write_text
from saferec_core.runs.layout import RunLayout

__all__ = ["phase", "watched"]

INTERVAL = 10.0
"""Seconds between two writes of ``heartbeat.json``."""


class _Heart:
    """The phases of one process, innermost last, and the thread that reports them."""

    def __init__(
        self,
        run: RunLayout,
        process: int,
        stall_seconds: float | None,
        report: Callable[[str], None],
        stacks: IO[str],
    ) -> None:
        self._run = run
        self._process = process
        self._stall_seconds = stall_seconds
        self._report = report
        self._stacks = stacks
        self._phases = ["set-up"]
        self._since = time.monotonic()
        self._changes = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="saferec heartbeat", daemon=True)

    def begin(self) -> None:
        self._changed()
        self._thread.start()

    def end(self) -> None:
        self._ended.set()
        faulthandler.cancel_dump_traceback_later()
        self._thread.join()

    def enter(self, name: str) -> None:
        self._phases.append(name)
        self._changed()

    def leave(self) -> None:
        self._phases.pop()
        self._changed()

    def _changed(self) -> None:
        self._since, self._changes = time.monotonic(), self._changes + 1
        if self._stall_seconds is not None:
            faulthandler.dump_traceback_later(self._stall_seconds, file=self._stacks)

    def _beat(self) -> None:
        reported = 0  # the change since which a stall was reported
        while True:
            change, seconds, name = self._changes, time.monotonic() - self._since, self._phases[-1]
            with contextlib.suppress(OSError, RunError):  # a full disk is reported by what has to be written
                self._write(name, seconds)
            if self._stall_seconds is not None and seconds > self._stall_seconds and change != reported:
                reported = change
                self._report(
                    f"No progress for {seconds:.0f} seconds in the phase '{name}' (process {self._process}). "
                    f"The stacks of all threads are in {self._run.stacks(self._process)}."
                )
            wait = INTERVAL if self._stall_seconds is None else min(INTERVAL, self._stall_seconds / 2)
            if self._ended.wait(wait):
                return

    def _write(self, name: str, seconds: float) -> None:
        facts = {
            "phase": name,
            "for_seconds": round(seconds, 1),
            "time": datetime.now(tz=UTC).isoformat(timespec="seconds"),
            "pid": os.getpid(),
        }
        write_text(self._run.heartbeat(self._process), json.dumps(facts) + "\n")


_heart: _Heart | None = None  # of this process; a phase deep in the core need not know which run it is in


@contextmanager
def watched(
    run: RunLayout, *, process: int, stall_seconds: float | None, report: Callable[[str], None]
) -> Iterator[None]:
    """Report the phases of a run meanwhile.

    Args:
        run: Its folder.
        process: Index of this process; each has files of its own.
        stall_seconds: How long a phase may take before stacks are written; None: for ever.
        report: Called with a sentence, by another thread, when they are.
    """
    global _heart  # noqa: PLW0603 - one run at a time
    stacks_file = run.stacks(process)
    with _removed_if_empty(stacks_file), stacks_file.open("a", encoding="utf-8") as stacks:
        heart = _heart = _Heart(run, process, stall_seconds, report, stacks)
        heart.begin()
        try:
            yield
        finally:
            _heart = None
            heart.end()
            run.heartbeat(process).unlink(missing_ok=True)


@contextmanager
def _removed_if_empty(path: Path) -> Iterator[None]:
    try:
        yield
    finally:
        if path.exists() and not path.stat().st_size:
            path.unlink()


@contextmanager
def phase(name: str) -> Iterator[None]:
    """Name what is done meanwhile; of no effect outside of a run that is watched."""
    heart = _heart
    if heart is None:
        yield
        return
    heart.enter(name)
    try:
        yield
    finally:
        heart.leave()
