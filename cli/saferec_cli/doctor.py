"""``saferec doctor``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from saferec_cli.options import JsonOption
from saferec_cli.printing import print_json
from saferec_core import load_plugins

__all__ = ["doctor"]

UNWELL = 1
"""Exit status where something is wrong; a user's mistake is 2."""


def doctor(
    output_dir: Annotated[Path, typer.Option(metavar="FOLDER", help="Where runs would be written.")] = Path(
        "runs"
    ),
    *,
    as_json: JsonOption = False,
) -> None:
    """Examine the installation: versions, GPU, threads, disk, and the trainer's gradient.

    Exits with 1 if something is wrong; warnings do not count.
    """
    from saferec_cli.render_doctor import show  # --help needs none of this
    from saferec_cli.running import running
    from saferec_core.doctor.examine import examine

    findings = []
    with running("nothing was written"):
        for finding in examine(load_plugins(), output_dir):
            findings.append(finding)
            if not as_json:
                show(finding)
    unwell = [finding for finding in findings if finding.status == "problem"]
    if as_json:
        facts = {"healthy": not unwell, "findings": [finding.as_data() for finding in findings]}
        print_json(facts)
    else:
        typer.echo(f"{len(unwell)} problem{'s' * (len(unwell) != 1)}" if unwell else "Everything works.")
    if unwell:
        raise typer.Exit(UNWELL)
