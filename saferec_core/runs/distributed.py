"""Several processes that train together: who writes, and how the others learn of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list

from saferec_core.errors import RunError, SaferecError

__all__ = ["from_main", "is_main", "process_count"]

T = TypeVar("T")


@cache
def _state() -> Any:
    """Join the other processes that a launcher such as torchrun has started, if any.

    Raises:
        RunError: Fewer work together than were launched; each would else train by itself.
    """
    # Unless told that there is no accelerator, accelerate takes every process for the only one.
    state = PartialState(cpu=not torch.accelerator.is_available())
    launched = int(os.environ.get("WORLD_SIZE", "1"))
    if state.num_processes != launched:
        raise RunError(f"{launched} processes were launched, but {state.num_processes} work together")
    return state


def is_main() -> bool:
    """Tell whether this process writes files and reports to the user."""
    return bool(_state().is_main_process)


def process_count() -> int:
    """Return how many processes train together."""
    return int(_state().num_processes)


def from_main(make: Callable[[], T]) -> T:
    """Call *make* on the main process only, and return its result on all.

    Raises:
        SaferecError: *make* raised it; raised on every process, so that none waits for ever.
    """
    outcome: list[object] = [None]
    if is_main():
        try:
            outcome = [make()]
        except SaferecError as error:
            outcome = [error]
    if process_count() > 1:
        broadcast_object_list(outcome)
    result = outcome[0]
    if isinstance(result, SaferecError):
        raise result
    return result  # type: ignore[return-value]  # what make returned
