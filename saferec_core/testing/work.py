"""How much work a call is, in lines of Python."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

__all__ = ["lines_executed"]


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
