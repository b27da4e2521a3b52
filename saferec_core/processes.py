"""Several processes that train together: who writes, and how the others learn of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from accelerate import PartialState
from accelerate.utils import broadcast_object_list

from saferec_core.errors import SaferecError

__all__ = ["from_main", "is_main", "process_count"]

T = TypeVar("T")


def is_main() -> bool:
    """Tell whether this process writes files and reports to the user."""
    return bool(PartialState().is_main_process)


def process_count() -> int:
    """Return how many processes train together."""
    return int(PartialState().num_processes)


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
