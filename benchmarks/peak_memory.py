"""The peak of memory that a piece of work takes, on a GPU or, on Linux, of this process."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import resource
from pathlib import Path

import torch

__all__ = ["read_peak", "start_peak"]


def start_peak(cuda: bool) -> int:
    """Start measuring the peak of memory; return the bytes in use."""
    gc.collect()
    if cuda:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)  # what was freed before counts as used otherwise
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _resident("VmRSS")


def read_peak(cuda: bool) -> int:
    """Return the most bytes in use since `start_peak`."""
    return torch.cuda.max_memory_allocated() if cuda else _resident("VmHWM")


def _resident(name: str) -> int:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))
