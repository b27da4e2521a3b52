"""``saferec launch``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["launch"]


def launch(
    arguments: Annotated[
        list[str],
        typer.Argument(metavar="COMMAND", help="The command to run: train, sft or eval, with its flags."),
    ],
    *,
    processes: Annotated[
        int, typer.Option("--processes", "-n", min=1, help="Processes to start, on all machines together.")
    ],
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="Configuration of accelerate for DeepSpeed or FSDP, such as examples/configs/zero3.yaml.",
        ),
    ] = None,
    machines: Annotated[int, typer.Option(min=1, help="Machines that take part.")] = 1,
    machine: Annotated[int, typer.Option(min=0, help="Number of this machine, from 0.")] = 0,
    address: Annotated[
        str, typer.Option(metavar="HOST", help="Address of machine 0, the same on every machine.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on machine 0; 0: a free one, for a single machine.")
    ] = 0,
) -> None:
    """Start a command in several processes that train together.

    Put the flags of launch first: saferec launch -n 4 train run.yaml --bf16. With several machines, run it on
    each, with a --machine of its own and an --output-dir that all of them can access.
    """
    from saferec_core.launch import Cluster, run_processes  # imports torch

    cluster = Cluster(processes, machines=machines, machine=machine, address=address, port=port)
    if status := run_processes(arguments, cluster, accelerate_config=config):
        raise typer.Exit(status)
