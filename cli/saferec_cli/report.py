"""``saferec report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from saferec_cli import completion
from saferec_core.runs.layout import RunLayout

__all__ = ["report"]


def report(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN",
            help="Run folders; the others are compared with the first.",
            autocompletion=completion.runs,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="HTML file to write; by default report.html, in the folder of a single run."
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace FILE even if it is not a report.")
    ] = False,
) -> None:
    """Write a self-contained HTML page: results, curves and every list, of one run or several.

    The page opens from disk and needs no network.
    """
    from saferec_core.report import write_report  # scipy and altair are slow to import

    default = RunLayout(runs[0]).report if len(runs) == 1 else Path("report.html")
    written = write_report(runs, out or default, overwrite=overwrite)
    typer.echo(f"Report: {written} ({written.stat().st_size / 1e6:.1f} MB)")
