"""Several processes that train together: who writes, and how the others learn of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import Any, TypeVar

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list, gather_object

from saferec_core.errors import RunError, SaferecError

__all__ = [
    "from_main",
    "gathered",
    "is_main",
    "join",
    "launch_facts",
    "lonely_launch",
    "lost_contact",
    "process_count",
    "process_index",
]

T = TypeVar("T")


_timeout: timedelta | None = None  # of the process group; None: that of torch


def join(wanted: int | None, timeout_seconds: float) -> None:
    """Join the other processes of a run, before anything else in this module is called.

    Args:
        wanted: How many processes the run is meant for; None: any number.
        timeout_seconds: How long a process waits for the others before it fails.

    Raises:
        RunError: A launcher started fewer or more; some start one and say nothing.
    """
    global _timeout  # noqa: PLW0603 - there is one group of processes
    _timeout = timedelta(seconds=timeout_seconds)
    present = process_count()
    if wanted is not None and present != wanted:
        raise RunError(
            f"--processes {wanted} was asked for, but {present} work together. Start them with 'saferec "
            f"launch -n {wanted} ...' or torchrun; without GPUs, 'accelerate launch --num_processes' starts "
            "one process and says nothing."
        )


def launch_facts() -> dict[str, Any]:
    """Return how the processes were started, for the manifest."""
    state = _state()
    launcher = "torchrun" if "TORCHELASTIC_RUN_ID" in os.environ else "none"
    if any(name.startswith("ACCELERATE_") for name in os.environ):
        launcher = "accelerate"
    return {
        "launcher": launcher,
        "processes": int(state.num_processes),
        "machines": int(os.environ.get("GROUP_WORLD_SIZE", "1")),
        "backend": state.backend,
    }


def lonely_launch() -> str:
    """Say that accelerate has started one process only, which it does without GPUs; empty otherwise."""
    if process_count() > 1 or launch_facts()["launcher"] != "accelerate" or torch.accelerator.is_available():
        return ""
    return (
        "accelerate started one process. If --num_processes asked for more: without GPUs accelerate starts "
        "one all the same; 'saferec launch -n N' starts N."
    )


def lost_contact(error: Exception) -> str:
    """Return what an engine says of a connection to other processes that broke; empty of other errors.

    gloo raises errors without a type of their own, which name its source files.
    """
    first_line = str(error).partition("\n")[0]
    is_of_network = isinstance(error, torch.distributed.DistError) or "/gloo/" in first_line
    return first_line if is_of_network else ""


@cache
def _state() -> Any:
    """Join the other processes that a launcher such as torchrun has started, if any.

    Raises:
        RunError: Fewer work together than were launched; each would else train by itself.
    """
    # Without cpu=True on a machine without an accelerator, accelerate takes every process for the only one.
    options = {} if _timeout is None else {"timeout": _timeout}
    state = PartialState(cpu=not torch.accelerator.is_available(), **options)
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
