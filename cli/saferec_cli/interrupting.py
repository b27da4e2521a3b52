"""Ctrl-C, told in a word."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

__all__ = ["interruptible"]


@contextmanager
def interruptible() -> Iterator[None]:
    """End on Ctrl-C without a traceback, with the exit status that shells give it."""
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; what has been written so far is kept\n")
        raise typer.Exit(130) from None
