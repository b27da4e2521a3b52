"""Several processes that train together: who writes, and how the others learn of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list, gather_object

from saferec_core.errors import RunError, SaferecError

__all__ = [
    "check_process_count",
    "from_main",
    "gathered",
    "is_main",
    "process_count",
    "process_index",
]

T = TypeVar("T")


@cache
def _state() -> Any:
    """Join the other processes that a launcher such as torchrun has started, if any.

    Raises:
        RunError: Fewer work together than were launched; each would else train by itself.
    """
    # Without cpu=True on a machine without an accelerator, accelerate takes every process for the only one.
    state = PartialState(cpu=not torch.accelerator.is_available())
    launched = int(os.environ.get("WORLD_SIZE", "1"))
    if state.num_processes != launched:
        raise RunError(f"{launched} processes were launched, but {state.num_processes} work together")
    return state


def is_main() -> bool:
    """Whether this process writes files and reports to the user."""
    return bool(_state().is_main_process)


def process_count() -> int:
    """Return how many processes train together."""
    return int(_state().num_processes)


def process_index() -> int:
    """Return this process's index among those that train together, from 0."""
    return int(_state().process_index)


def check_process_count(wanted: int | None) -> None:
    """Refuse to work with another number of processes than was asked for.

    Raises:
        RunError: A launcher started fewer or more; some start one and say nothing.
    """
    present = process_count()
    if wanted is not None and present != wanted:
        raise RunError(
            f"--processes {wanted} was asked for, but {present} work together. Launch them with 'torchrun "
            f"--nproc_per_node {wanted} -m saferec_cli ...'; without GPUs, 'accelerate launch "
            "--num_processes' starts one process and says nothing."
        )


def gathered(value: T) -> list[T]:
    """Return what every process passes, in their order, on each of them."""
    if process_count() == 1:
        return [value]
    everything: list[T] = gather_object([value])
    return everything


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
