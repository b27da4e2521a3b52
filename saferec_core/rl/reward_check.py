"""One call of a reward function, watched, and what it returned, checked."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from ctypes import py_object, pythonapi
from typing import Any

from torch import Tensor

from saferec_core.errors import RewardError
from saferec_core.plugins.calls import calling, undisturbed
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.contracts.reward import RewardFunction
from saferec_core.plugins.contracts.unchanged import unchanged
from saferec_core.plugins.time_limits import call_limit
from saferec_core.plugins.values import as_values

__all__ = ["checked_values", "shape_of"]


def checked_values(
    what: str, function: RewardFunction, lists: JudgedLists, *, timeout: float | None
) -> Tensor:
    """Call a reward function, which may be async, and check what it returns.

    Args:
        what: The reward, as errors name it.
        function: The reward.
        lists: What it is about.
        timeout: Seconds that it may take; None: no limit.

    Returns:
        (N, K) or (N,) by its scope.

    Raises:
        RewardError: It failed, or returned something else.
        PluginError: It changed the lists.
    """
    limit = call_limit(what, timeout, setting="--set rewards.{name}.calls.timeout")
    with unchanged(lists, what), undisturbed(what), calling(what, error=RewardError, limit=limit):
        value: Any = function(lists)
        if inspect.isawaitable(value):
            value = _awaited(value)
    shape = shape_of(function, lists)
    axes = "(N, K)" if len(shape) > 1 else "(N,)"
    with calling(what, error=RewardError):  # what it returned may itself fail when it is looked at
        return as_values(value, what, shape, axes, error=RewardError)


def shape_of(function: RewardFunction, lists: JudgedLists) -> tuple[int, ...]:
    """Return the shape of a reward's values, by its scope."""
    shape = tuple(lists.rank_mask.shape)
    return shape if function.scope == "rank" else shape[:1]


def _awaited(awaitable: Awaitable[Any]) -> Any:
    """Wait for what an async reward returns, in an event loop of its own."""

    async def wait() -> Any:
        return await awaitable

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _run(wait())
    with ThreadPoolExecutor(1) as pool:  # within a notebook, whose thread has a loop that runs
        return pool.submit(_run, wait()).result()


_TO_END = 1.0
"""Seconds that canceled tasks have to end."""


def _run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine; unlike ``asyncio.run``, do not wait forever for tasks that refuse to be canceled."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(coroutine)
    finally:
        if tasks := asyncio.all_tasks(loop):
            for task in tasks:
                task.cancel()
            loop.run_until_complete(asyncio.wait(tasks, timeout=_TO_END))
        generators = loop.create_task(loop.shutdown_asyncgens())
        loop.run_until_complete(asyncio.wait({generators}, timeout=_TO_END))
        for task in asyncio.all_tasks(loop):
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # the failure says it
            # Kept alive on purpose: the garbage collector would run the task to its end, which never comes.
            pythonapi.Py_IncRef(py_object(task))
        loop.close()
