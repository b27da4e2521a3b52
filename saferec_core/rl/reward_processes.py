"""Call a slow reward in processes of its own, which share the completions of a batch.

Python computes on one core at a time, so a reward in pure Python keeps the others idle. A process can also be
killed, whatever it does: a loop in C that no signal interrupts, a thread, a crash.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import get_all_start_methods, get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from saferec_core.data.records import Record
from saferec_core.errors import RewardError, SaferecError
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.contracts.parser import ParsedList
from saferec_core.plugins.contracts.reward import RewardFunction
from saferec_core.plugins.contracts.run_context import RunContext
from saferec_core.plugins.parcels import packed, unpacked
from saferec_core.plugins.time_limits import PluginTimeoutError
from saferec_core.rl.reward_check import checked_values
from saferec_core.runs.child import begin_child

__all__ = ["RewardProcesses"]

_TIME_TO_START = 600.0
"""Seconds in which a process has to have imported torch and the plugin, on a machine under load."""


class _Part(NamedTuple):
    """The completions of one process."""

    lists: Sequence[ParsedList]
    records: Sequence[Record]
    num_ranks: int
    context: RunContext


class _Answer(NamedTuple):
    """What a process sends back: values and figures, or why there are none."""

    values: Any = None
    figures: Mapping[str, float] | None = None
    failure: str | None = None


@dataclass
class RewardProcesses:
    """Processes that hold one reward function and a copy of what its lists are judged by."""

    what: str
    """The reward, as errors name it."""
    function: RewardFunction
    number: int
    """How many processes share a batch."""
    _workers: list[_Worker] = field(default_factory=list, init=False)
    _judge: Judge | None = field(default=None, init=False)

    def __call__(self, lists: JudgedLists, timeout: float | None) -> Tensor:
        """Return the values of all completions, in their order.

        Args:
            lists: What the reward is about; each process gets some, in order.
            timeout: Seconds for all of them; processes that need longer are killed.

        Raises:
            RewardError: The function failed, took too long (its cause is then a
                :class:`~saferec_core.plugins.isolation.PluginTimeoutError`), ended its process, or cannot
                be pickled.
        """
        self._start(lists.judge)
        parts = np.array_split(np.arange(len(lists.lists)), min(self.number, max(1, len(lists.lists))))
        workers = self._workers[: len(parts)]
        for worker, positions in zip(workers, parts, strict=True):
            some = lists.only(positions.tolist())
            context = RunContext(lists.context.step, lists.context.steps, lists.context.phase)
            try:
                worker.connection.send(_Part(some.lists, some.records, some.num_ranks, context))
            except OSError as error:  # it was killed since the last batch
                raise self._ended(worker) from error
        answers = self._received(workers, timeout)
        if failure := next((answer.failure for answer in answers if answer.failure is not None), None):
            raise RewardError(failure)
        _log_means(lists.context, answers, list(map(len, parts)))
        return torch.from_numpy(np.concatenate([answer.values for answer in answers]))

    def close(self) -> None:
        """Kill the processes; the next call starts others."""
        for worker in self._workers:
            worker.process.kill()
            worker.process.join()
            worker.connection.close()
        self._workers, self._judge = [], None

    def _start(self, judge: Judge) -> None:
        """Start the processes, or others for another catalog or oracle."""
        if self._workers and self._judge is judge:
            return
        self.close()
        try:
            content = packed((self.what, self.function, judge))
        except Exception as error:
            raise RewardError(
                f"{self.what} cannot be sent to processes (calls.processes): {type(error).__name__}: {error}"
            ) from error
        self._judge, self._workers = judge, [_Worker.started(content) for _ in range(self.number)]
        for answer in self._received(self._workers, _TIME_TO_START):
            if answer.failure is not None:
                self.close()
                raise RewardError(f"{self.what} cannot be built in a process: {answer.failure}")

    def _received(self, workers: Sequence[_Worker], timeout: float | None) -> list[_Answer]:
        """Wait for an answer of each process; kill all of them where one is late or has ended."""
        answers: dict[int, _Answer] = {}
        by_connection = {worker.connection: number for number, worker in enumerate(workers)}
        deadline = None if timeout is None else time.monotonic() + timeout
        while len(answers) < len(workers):
            waiting = [one for one, number in by_connection.items() if number not in answers]
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            ready = wait(waiting, left)
            if not ready:
                self.close()
                raise RewardError(
                    f"{self.what} failed: not finished after {timeout:g} s; its processes were killed"
                ) from PluginTimeoutError(f"not finished after {timeout:g} s")
            for connection in ready:
                assert isinstance(connection, Connection)
                number = by_connection[connection]
                try:
                    answers[number] = connection.recv()
                except (EOFError, OSError) as error:
                    raise self._ended(workers[number]) from error
        return [answers[number] for number in range(len(workers))]

    def _ended(self, worker: _Worker) -> RewardError:
        """Say how a process has ended, and kill the others."""
        worker.process.join()
        status = worker.process.exitcode
        self.close()
        return RewardError(f"{self.what} failed: its process ended with status {status}")


class _Worker(NamedTuple):
    process: BaseProcess
    connection: Connection

    @classmethod
    def started(cls, content: bytes) -> _Worker:
        here, there = _CONTEXT.Pipe()
        process = _CONTEXT.Process(target=_serve, args=(there, content), daemon=True)
        process.start()
        there.close()
        return cls(process, here)


# The server has imported torch once; each process is a fork of it, so that killing one costs little.
_CONTEXT: Any = get_context("forkserver" if "forkserver" in get_all_start_methods() else "spawn")
with suppress(AttributeError):
    _CONTEXT.set_forkserver_preload([__name__])


def _serve(connection: Connection, content: bytes) -> None:
    """Answer parts until the parent hangs up."""
    begin_child()
    torch.set_num_threads(1)
    try:
        what, function, judge = unpacked(content)
    except Exception as error:  # noqa: BLE001 - whatever importing a plugin raises is reported
        connection.send(_Answer(failure=f"{type(error).__name__}: {error}"))
        return
    connection.send(_Answer())
    with suppress(EOFError):
        while True:
            part: _Part = connection.recv()
            lists = JudgedLists(part.lists, part.records, judge, part.num_ranks, context=part.context)
            try:
                values = checked_values(what, function, lists, timeout=None)
                answer = _Answer(values.numpy(), dict(part.context.figures))
            except SaferecError as error:
                answer = _Answer(failure=str(error))
            connection.send(answer)
    os._exit(0)


def _log_means(context: RunContext, answers: Sequence[_Answer], sizes: Sequence[int]) -> None:
    """Log each figure of the processes by its mean over the completions."""
    names = dict.fromkeys(name for answer in answers for name in answer.figures or {})
    for name in names:
        logged = [
            (answer.figures[name], size)
            for answer, size in zip(answers, sizes, strict=True)
            if answer.figures and name in answer.figures
        ]
        context.log(name, sum(value * size for value, size in logged) / sum(size for _, size in logged))
