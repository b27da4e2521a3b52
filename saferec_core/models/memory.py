"""Errors of memory that ran out, with what helps."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from saferec_core.errors import RunError

__all__ = ["is_out_of_memory", "memory_advised"]


def is_out_of_memory(error: Exception) -> bool:
    """Tell whether a GPU or the machine had no memory left, in whatever way torch says so."""
    text = str(error)
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and ("can't allocate memory" in text or "out of memory" in text)
    )


@contextmanager
def memory_advised(doing: str, *remedies: str) -> Iterator[None]:
    """Name what was being done and what would help if memory runs out meanwhile.

    Args:
        doing: What was being done; ends the sentence "out of memory while".
        remedies: What helps, the best first.

    Raises:
        RunError: Memory ran out.
    """
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        helps = "; ".join(remedies)
        raise RunError(f"out of memory while {doing}. What helps, in this order: {helps}.") from error
