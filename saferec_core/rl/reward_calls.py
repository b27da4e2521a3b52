"""Call one reward function as the run wants it: within its time, in processes, cached, failures dropped.

A failure never becomes a number. It ends the run, or by ``on_error: drop`` leaves the completion that it is
about without a value (NaN); which one that is shows when each is asked about by itself.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from saferec_core.config.choices import RewardCalls
from saferec_core.errors import ConfigError, RewardError
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.contracts.reward import RewardFunction
from saferec_core.plugins.isolation import LOGGER
from saferec_core.plugins.time_limits import PluginTimeoutError
from saferec_core.rl.reward_check import checked_values, shape_of
from saferec_core.rl.reward_processes import RewardProcesses
from saferec_core.rl.reward_range import stray_value

__all__ = ["RewardCaller"]

_REMEMBERED = 1 << 16
"""Completions whose values are kept before all are forgotten."""


class RewardCaller:
    """Calls one reward function of a run."""

    def __init__(self, what: str, function: RewardFunction, calls: RewardCalls) -> None:
        """Keep the function and how it is called.

        Args:
            what: The reward, as errors name it.
            function: The reward.
            calls: Time-out, processes, what happens on an error, and whether values are kept.

        Raises:
            ConfigError: The reward has a state, which processes would each change for themselves.
        """
        if calls.processes and hasattr(function, "state_dict"):
            raise ConfigError(
                f"{what} keeps a state, so it cannot be called in processes: leave calls.processes out"
            )
        self._what = what
        self._function = function
        self._calls = calls
        self._processes = RewardProcesses(what, function, calls.processes) if calls.processes else None
        self._kept: dict[tuple[Any, int], tuple[Tensor, Any]] = {}
        """Values with their record, whose id is no other's as long as it is kept."""
        self._warned: set[str] = set()

    def __call__(self, lists: JudgedLists) -> tuple[Tensor, int]:
        """Return the values, (N, K) or (N,) by scope, and how many completions were dropped.

        Raises:
            RewardError: The function failed, and failures are not dropped.
            PluginError: The function changed the lists.
        """
        values, dropped = self._from_cache(lists) if self._calls.cache else self._values(lists)
        if dropped < len(values) and lists.rank_mask.any() and values.isnan().all():
            self._warn(
                "empty", "has no value for any rank of a batch (NaN everywhere), so it teaches nothing"
            )
        return values, dropped

    def _from_cache(self, lists: JudgedLists) -> tuple[Tensor, int]:
        """Call the function for the lists that it has not valued before."""
        keys = [(parsed, id(record)) for parsed, record in zip(lists.lists, lists.records, strict=True)]
        if len(self._kept) > _REMEMBERED:
            self._kept.clear()
        new = [n for n, key in enumerate(keys) if key not in self._kept]
        dropped = 0
        if new:
            values, dropped = self._values(lists.only(new))
            kept = ((value, lists.records[n]) for n, value in zip(new, values, strict=True))
            self._kept.update(zip((keys[n] for n in new), kept, strict=True))
        return torch.stack([self._kept[key][0] for key in keys]), dropped

    def _values(self, lists: JudgedLists) -> tuple[Tensor, int]:
        try:
            return self._called(lists), 0
        except RewardError as error:
            if self._calls.on_error == "fail":
                raise
            values, dropped = self._without_failing(lists, error)
            self._warn("dropped", f"left {dropped} of {len(values)} completions without a value ({error})")
        return values, dropped

    def _without_failing(self, lists: JudgedLists, error: RewardError) -> tuple[Tensor, int]:
        """Ask about each completion by itself; after a time-out there is no time for that."""
        shape = shape_of(self._function, lists)
        values, dropped = torch.full(shape, torch.nan), 0
        if isinstance(error.__cause__, PluginTimeoutError):
            return values, len(values)
        for n in range(len(values)):
            try:
                values[n] = self._called(lists.only([n]))[0]
            except RewardError:
                dropped += 1
        return values, dropped

    def _called(self, lists: JudgedLists) -> Tensor:
        """Call the function, here or in its processes, and check what it returns."""
        if self._processes is None:
            checked = checked_values(self._what, self._function, lists, timeout=self._calls.timeout)
        else:
            checked = self._processes(lists, self._calls.timeout)
        if "range" not in self._warned and (
            stray := stray_value(self._what, self._function, checked, lists.rank_mask, lists.lengths)
        ):
            self._warn("range", stray)
        return checked

    def _warn(self, about: str, text: str) -> None:
        """Warn once."""
        if about not in self._warned:
            self._warned.add(about)
            LOGGER.warning("%s %s", self._what, text)
