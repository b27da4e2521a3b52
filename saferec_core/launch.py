"""Start processes that train together, by torchrun or by accelerate."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

from saferec_core.errors import ConfigError
from saferec_core.runs.ports import check_port

__all__ = ["COMMANDS", "Cluster", "run_processes"]

COMMANDS = ("train", "sft", "eval")
"""What can run in several processes."""


@dataclass(frozen=True)
class Cluster:
    """Which processes take part, and how they find one another."""

    processes: int
    """On all machines together."""
    machines: int = 1
    machine: int = 0
    """Number of this machine, from 0."""
    address: str = "127.0.0.1"
    """Of machine 0."""
    port: int = 0
    """On machine 0; 0: a free one."""

    @property
    def per_machine(self) -> int:
        """Processes on each machine.

        Raises:
            ConfigError: They cannot be divided, or this machine does not exist.
        """
        if self.processes % self.machines:
            raise ConfigError(
                f"--processes {self.processes} cannot be divided among {self.machines} machines; choose "
                "a multiple"
            )
        if self.machine >= self.machines:
            raise ConfigError(
                f"--machine {self.machine} does not exist: {self.machines} machines have the numbers 0 to "
                f"{self.machines - 1}"
            )
        if self.machines > 1 and not self.port:
            raise ConfigError("--port is missing: several machines have to agree on a port of machine 0")
        return self.processes // self.machines


def run_processes(arguments: Sequence[str], cluster: Cluster, *, accelerate_config: Path | None) -> int:
    """Run a command of saferec in several processes, and return its exit status.

    Each process is told how many were asked for, and refuses any other number.

    Args:
        arguments: The command and its flags.
        cluster: The processes.
        accelerate_config: Configuration for DeepSpeed or FSDP; None: plain data parallelism.

    Raises:
        ConfigError: The command cannot run in several processes, or the numbers do not fit.
    """
    per_machine = cluster.per_machine
    if arguments[0] not in COMMANDS:
        raise ConfigError(
            f"'saferec {arguments[0]}' does not run in several processes; {', '.join(COMMANDS)} do"
        )
    for flag, asked in _processes_in(arguments):
        if asked != str(cluster.processes):
            raise ConfigError(
                f"the command asks for {flag}{asked}, but launch starts {cluster.processes} (-n); leave "
                f"{flag.rstrip(' =')} out"
            )
    command = ["-m", "saferec_cli", *arguments]
    if arguments[0] != "eval":
        command += ["--processes", str(cluster.processes)]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores // per_machine)))
    if cluster.port and cluster.machine == 0:
        check_port(cluster.port, "--port")
    port = str(cluster.port or _free_port(cluster))
    # Each process speaks for itself.
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    if accelerate_config is None:
        return _status(_torchrun, command, cluster, port)
    return _status(_accelerate, command, cluster, port, accelerate_config)


def _processes_in(arguments: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield each number of processes that a command is given by itself, after how it is given."""
    for argument, following in pairwise([*arguments, ""]):
        flag, equals, value = argument.partition("=")
        if flag not in {"--processes", "--set"}:
            continue
        value = value if equals else following
        if flag == "--processes":
            yield "--processes ", value
        elif (setting := value.partition("="))[0].strip() == "processes":
            yield "--set processes=", setting[2].strip()


def _torchrun(command: Sequence[str], cluster: Cluster, port: str) -> None:
    run: Any = import_module("torch.distributed.run")  # slow to import

    options = ["--nproc-per-node", str(cluster.per_machine), "--nnodes", str(cluster.machines)]
    options += ["--node-rank", str(cluster.machine), "--master-addr", cluster.address, "--master-port", port]
    run.run(run.parse_args([*options, *command]))


def _accelerate(command: Sequence[str], cluster: Cluster, port: str, config: Path) -> None:
    from accelerate.commands.launch import launch_command, launch_command_parser  # imports torch

    options = ["--config_file", str(config), "--num_processes", str(cluster.processes)]
    options += ["--num_machines", str(cluster.machines), "--machine_rank", str(cluster.machine)]
    options += ["--main_process_ip", cluster.address, "--main_process_port", port]
    launch_command(launch_command_parser().parse_args([*options, *command]))


def _status(start: Callable[..., None], *arguments: object) -> int:
    """Return the exit status of the first process that failed, 0 if none did; 128 + N for signal N."""
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    try:
        start(*arguments)
    except ChildFailedError as error:
        _, failure = error.get_first_failure()
        return failure.exitcode if failure.exitcode >= 0 else 128 - failure.exitcode
    except SignalException as error:
        return 128 + int(error.sigval)
    return 0


def _free_port(cluster: Cluster) -> int:
    with socket.socket() as probe:
        probe.bind((cluster.address, 0))
        port: int = probe.getsockname()[1]
    return port
