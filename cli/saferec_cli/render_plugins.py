"""Installed components, as a list and one at a time."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from saferec_core.plugins.manager import Plugins

__all__ = ["component_sheet", "plugin_table"]


def _paragraphs(text: str) -> str:
    """Join the lines of each paragraph, which are fitted to the terminal."""
    return "\n\n".join(" ".join(part.split()) for part in inspect.cleandoc(text).split("\n\n"))


def plugin_table(plugins: Plugins) -> None:
    """Print every component by kind, and every plugin that failed to load with its reason."""
    console = Console()
    table = Table.grid(padding=(0, 2))
    table.add_column(overflow="fold")
    table.add_column(ratio=1)
    table.add_column(overflow="fold")
    for kind, entries in groupby(plugins, key=lambda entry: entry.kind):
        table.add_row(f"[bold]{escape(kind)}[/]")
        for entry in entries:
            supplier = f"{entry.origin.distribution} {entry.origin.version}"
            table.add_row(f"  {escape(entry.name)}", escape(entry.summary), f"[dim]{escape(supplier)}[/]")
    console.print(table)
    _section(
        console, "failed to load", [f"{state.origin}: {state.reason}" for state in plugins.broken], "red"
    )
    conflicts = [
        f"{same[0].kind} {same[0].name!r}: {', '.join(str(entry.origin) for entry in same)}"
        for same in plugins.conflicts()
    ]
    _section(console, "offered twice, so that no run can use it", conflicts, "red")
    notes = [f"{state.origin}: {note}" for state in plugins.states for note in state.notes]
    _section(console, "notes", notes, "yellow")
    _section(console, "switched off", [str(state.origin) for state in plugins.disabled], "dim")


def _section(console: Console, title: str, lines: Sequence[str], style: str) -> None:
    """Print lines under a title; nothing if there are none."""
    if lines:
        console.print(f"\n[bold {style}]{title}[/]")
    for line in lines:
        console.print(Padding(escape(line), (0, 0, 0, 2)), highlight=False, style=style)


def component_sheet(component: Mapping[str, Any]) -> None:
    """Print all there is to know about one component."""
    console = Console()
    console.print(
        f"[bold]{escape(component['name'])}[/] ({component['kind']}): {escape(component['summary'])}"
    )
    facts = Table.grid(padding=(0, 2))
    for title, key in (("supplied by", "supplied_by"), ("class", "reference")):
        facts.add_row(f"[dim]{title}[/]", escape(str(component[key])))
    for name, value in component["declares"].items():
        if value:  # what is left at its default says nothing
            shown = value if isinstance(value, str | bool) else ", ".join(sorted(value))
            facts.add_row(f"[dim]{escape(name.replace('_', ' '))}[/]", escape(str(shown)))
    console.print(facts)
    console.print(f"\n{escape(_paragraphs(component['description']))}\n")
    if not component["options"]:
        console.print("No options.")
        return
    console.print("[bold]Options[/]")
    for option in component["options"]:
        bounds = f"; {option['range']}" if option["range"] else ""
        head = f"{option['name']}: {option['type']} = {option['default']}{bounds}"
        console.print(Padding(escape(head), (0, 0, 0, 2)), highlight=False)
        console.print(Padding(f"[dim]{escape(option['meaning'])}[/]", (0, 0, 0, 6)), highlight=False)
