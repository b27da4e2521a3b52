"""How much work a call is, in lines of Python, and whether it ever ends."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["LateError", "lines_executed", "within_limit"]


class LateError(TimeoutError):
    """A call has not returned within its limit."""


def lines_executed(call: Callable[[], object]) -> int:
    """Return how many lines of Python *call* executes in this thread, those of libraries included.

    Unlike seconds they are the same on a busy machine. What C code does within a line is not seen.
    """
    count = 0

    def trace(_frame: FrameType, event: str, _argument: Any) -> Callable[..., Any]:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()  # a debugger's, or that of a measurement of coverage
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return count


@contextmanager
def within_limit(seconds: float) -> Iterator[None]:
    """Interrupt what takes longer than *seconds*, so that what hangs is reported instead of waited for.

    Only the main thread can be interrupted, where there are POSIX signals; elsewhere nothing is limited.

    Raises:
        LateError: The limit has passed.
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise LateError(f"no answer after {seconds:g} seconds")

    previous = signal.signal(signal.SIGALRM, interrupt)
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, left, interval)
        signal.signal(signal.SIGALRM, previous)
