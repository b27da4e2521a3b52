"""Stopping a run from outside: finish the step, save, and say how to continue."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["ALARMED", "OUT_OF_TIME", "RunStopped", "Stop"]

ALARMED = 1
"""Exit status of a run that an alarm ended."""

OUT_OF_TIME = 75
"""Exit status of a run that ``max_time`` ended: "try again" (EX_TEMPFAIL of sysexits.h)."""


class RunStopped(BaseException):
    """A run was stopped from outside; like ``KeyboardInterrupt``, no failure of what it interrupts."""

    def __init__(self, reason: str, status: int, command: str) -> None:
        """Keep why the run ended, the exit status that says so, and the command that continues it."""
        super().__init__(f"{reason}; continue with: {command}")
        self.status = status


class Stop:
    """Notices SIGTERM, SIGINT, a closed terminal (SIGHUP) and the end of the time a run may take.

    During a training step a request waits for the step's end; at any other time it ends the run at once,
    since evaluations keep what they have done. A second SIGINT does not wait either.
    """

    def __init__(self, command: str, max_seconds: float | None = None) -> None:
        """Remember how to continue.

        Args:
            command: Continues the run.
            max_seconds: How long the run may take from now; None: no limit.
        """
        self.command = command
        self._deadline = None if max_seconds is None else time.monotonic() + max_seconds
        self._waits = False
        self._longest_step = 0.0
        self._step_began = time.monotonic()
        self.request = 0
        """Exit status of a request that waits for the end of the step; 0: there is none."""
        self.any_step_ended = False
        """Whether anything was trained."""
        self._reasons = {
            OUT_OF_TIME: "the time of --max-time is up",
            ALARMED: "stopped by an alarm (--stop-on-alarm)",
        }

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Handle the signals meanwhile; outside of the main thread there is nothing to handle."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = [signal.SIGTERM, signal.SIGINT]
        hangup = getattr(signal, "SIGHUP", None)  # Windows has none
        if hangup is not None and signal.getsignal(hangup) == signal.SIG_DFL:  # nohup has it ignored
            numbers.append(hangup)
        before = {number: signal.signal(number, self._heard) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def after_the_step(self) -> Iterator[None]:
        """Have requests wait for :meth:`step_ended`; when this ends, one that waits ends the run."""
        self._waits, self._step_began = True, time.monotonic()
        try:
            yield
        finally:
            self._waits = False
        if self.request:
            raise self._stopped(self.request)

    def step_ended(self) -> int:
        """Return the exit status to stop with after this step; 0: continue.

        The time is up when another step as long as the longest so far would exceed it.
        """
        self.any_step_ended = True
        now = time.monotonic()
        self._longest_step = max(self._longest_step, now - self._step_began)
        self._step_began = now
        if not self.request and self._deadline is not None and now + self._longest_step > self._deadline:
            self.request = OUT_OF_TIME
        return self.request

    def after_step(self, status: int, reason: str) -> None:
        """Ask the run to end after the step in progress.

        Args:
            status: Its exit status.
            reason: What the user reads.
        """
        self._reasons[status] = reason
        self.request = self.request or status

    def _heard(self, number: int, _frame: FrameType | None) -> None:
        again = self.request == 128 + number
        self.request = 128 + number
        if not self._waits or (again and number == signal.SIGINT):
            raise self._stopped(self.request)

    def _stopped(self, status: int) -> RunStopped:
        reason = self._reasons.get(status) or f"stopped by {signal.Signals(status - 128).name}"
        return RunStopped(reason, status, self.command)
