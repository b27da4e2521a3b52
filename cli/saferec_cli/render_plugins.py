"""Installed components, one at a time."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from saferec_cli.consoles import PlainConsole

__all__ = ["component_sheet"]


def _paragraphs(text: str) -> str:
    """Join the lines of each paragraph, which are fitted to the terminal."""
    return "\n\n".join(" ".join(part.split()) for part in inspect.cleandoc(text).split("\n\n"))


def component_sheet(component: Mapping[str, Any]) -> None:
    """Print all there is to know about one component."""
    console = PlainConsole()
    console.print(
        f"[bold]{escape(component['name'])}[/] ({component['kind']}): {escape(component['summary'])}"
    )
    facts = Table.grid(padding=(0, 2))
    for title, key in (
        ("supplied by", "supplied_by"),
        ("module" if component["kind"] == "observer" else "class", "reference"),
    ):
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
