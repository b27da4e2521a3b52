"""Ctrl-C: what is kept, and how to continue."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

__all__ = ["interruptible"]

INTERRUPTED = 130
"""The exit status that shells give a command ended by Ctrl-C."""


@contextmanager
def interruptible(kept: str) -> Iterator[None]:
    """End on Ctrl-C without a traceback.

    Args:
        kept: What is kept and how to continue, such as "finished steps are kept; ...".
    """
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write(f"\ninterrupted: {kept}\n")
        raise typer.Exit(INTERRUPTED) from None
