"""Tasks on a Ray cluster.

The cluster is the one that ``RAY_ADDRESS`` names, else the one that runs on this machine, else one of this
machine's cores that ends with the chain. Its nodes read and write the chain's files where this process does:
they share a file system, have saferec, and everything that the chain names, under the same paths.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import TracebackType
from typing import Any, NamedTuple, ParamSpec, Self, TypeVar

import saferec_core
from saferec_core.errors import RunError
from saferec_core.pipeline.executor import collecting_rarely
from saferec_core.plugins.parcels import packed, unpacked

__all__ = ["RayExecutor"]

P = ParamSpec("P")
T = TypeVar("T")

_RETRIES = 3
"""How often a task is run again after its worker or node was lost."""

_ANSWER_SECONDS = 10
_NODE_SECONDS = 120


class _Outcome(NamedTuple):
    """What came of a task: errors of its own travel as they are, where Ray would wrap them."""

    value: Any = None
    error: Exception | None = None


class RayExecutor:
    """Runs each task on some node of a Ray cluster, again if the worker or the node is lost."""

    def __init__(self, number: int | None, folder: Path) -> None:
        """Prepare without connecting.

        Args:
            number: Tasks that run at once; one for each CPU of the cluster if None.
            folder: The folder that tasks write to, which every node must see.
        """
        self._limit = number
        self._folder = folder
        self._was_connected = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if "_ray" not in vars(self):  # it was never needed
            return
        if "_threads" in vars(self):
            self._threads.shutdown(cancel_futures=True)
        if not self._was_connected:
            self._ray.shutdown()

    @cached_property
    def number(self) -> int:
        """Tasks that run at once."""
        return self._limit or max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def submit(self, task: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> Future[T]:
        """Run a task on the cluster."""
        # Pickled here: a worker must know this process's paths before it can import what the task is made of.
        content = packed((task, arguments, options))
        return self._threads.submit(self._result, content)

    def _result(self, content: bytes) -> Any:
        """Wait for a task, in a thread of its own."""
        try:
            outcome: _Outcome = self._ray.get(self._remote.remote(content, str(Path.cwd()), sys.path))
        except self._ray.exceptions.RayTaskError as error:  # what runs tasks failed, not the task
            raise RunError(f"a node of the Ray cluster cannot run saferec: {_last_line(error)}") from error
        except self._ray.exceptions.RayError as error:
            raise BrokenExecutor(str(error)) from error
        if outcome.error is not None:
            raise outcome.error
        return outcome.value

    @cached_property
    def _threads(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self.number, thread_name_prefix="saferec-ray")

    @cached_property
    def _remote(self) -> Any:
        return self._ray.remote(num_cpus=1, max_retries=_RETRIES)(_run)

    @cached_property
    def _ray(self) -> Any:
        """The package, connected to a cluster whose nodes can take part."""
        import ray

        self._was_connected = ray.is_initialized()
        if not self._was_connected:
            _check_answers(os.environ.get("RAY_ADDRESS", ""))
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            try:
                ray.init(log_to_driver=False, logging_level="ERROR")
            except (ConnectionError, OSError, RuntimeError, ValueError) as error:
                raise RunError(
                    f"Ray cannot be started or reached: {_last_line(error)}. RAY_ADDRESS names a cluster; "
                    "'ray status' shows whether one answers"
                ) from error
        try:
            _check_nodes(ray, self._folder)
        except BaseException:
            if not self._was_connected:
                ray.shutdown()
            raise
        return ray


def _run(content: bytes, folder: str, path: Sequence[str]) -> _Outcome:
    """Run a task in a worker as if it were a process of the one that submitted it."""
    os.chdir(folder)
    sys.path += [entry for entry in path if entry not in sys.path]
    try:
        task, arguments, options = unpacked(content)
        with collecting_rarely():
            return _Outcome(value=task(*arguments, **options))
    except Exception as error:  # noqa: BLE001 - raised again where the task was submitted
        return _Outcome(error=error)


def _check_answers(address: str) -> None:
    """Raise at once if nothing listens at an address; Ray would keep trying for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not host or not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=_ANSWER_SECONDS).close()
    except OSError as error:
        raise RunError(
            f"no Ray cluster answers at {address} (RAY_ADDRESS): {error.strerror or error}; start one with "
            "'ray start --head', or name another"
        ) from error


def _check_nodes(ray: Any, folder: Path) -> None:
    """Refuse a cluster with nodes that lack saferec or do not see the folder.

    Raises:
        RunError: Names them all.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    folder.mkdir(parents=True, exist_ok=True)
    problems = []
    with NamedTemporaryFile(dir=folder, prefix=".seen-by-all-nodes-") as file:
        seen = str(Path(file.name).resolve())
        asked = [
            (
                f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})",
                ray.remote(num_cpus=0, max_retries=_RETRIES)(_look)
                .options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False))
                .remote(seen),
            )
            for node in ray.nodes()
            if node["Alive"] and node["Resources"].get("CPU")
        ]
        for node, answer in asked:
            try:
                version, sees = ray.get(answer, timeout=_NODE_SECONDS)
            except ray.exceptions.RayError as error:
                problems.append(f"{node} cannot run saferec: {_last_line(error)}")
                continue
            if version != saferec_core.__version__:
                problems.append(f"{node} has saferec {version}; this is {saferec_core.__version__}")
            if not sees:
                problems.append(
                    f"{node} does not see {folder}; name a --cache-dir on a file system that all nodes share"
                )
    if problems:
        raise RunError("nodes of the Ray cluster cannot take part:\n  " + "\n  ".join(problems))


def _look(path: str) -> tuple[str, bool]:
    """Return the version of saferec and whether a file is seen, on a node."""
    return saferec_core.__version__, Path(path).is_file()


def _last_line(error: BaseException) -> str:
    """Return what an error says without the trace that Ray puts in front of it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    with suppress(IndexError):
        return lines[-1]
    return type(error).__name__
