"""Findings of the doctor, a line each."""

from __future__ import annotations

from rich.markup import escape

from saferec_cli.consoles import PlainConsole
from saferec_core.doctor.finding import Finding

__all__ = ["show"]

_MARKS = {"ok": "[green]ok     [/]", "warning": "[yellow]warning[/]", "problem": "[red]problem[/]"}


def show(finding: Finding) -> None:
    """Print a finding, with what to do about it."""
    console = PlainConsole()
    console.print(
        f"{_MARKS[finding.status]} {escape(finding.topic)}: {escape(finding.detail)}",
        highlight=False,
        soft_wrap=True,
    )
    if finding.remedy:
        console.print(f"        {escape(finding.remedy)}", highlight=False, soft_wrap=True)
