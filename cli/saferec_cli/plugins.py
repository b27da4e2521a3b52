"""``saferec plugins``: list, show, and what stands in `saferec_cli.plugin_checks`."""

from __future__ import annotations

import inspect
from typing import Annotated, Any

import typer

from saferec_cli import completion, plugin_checks, plugin_list
from saferec_cli.options import JsonOption
from saferec_cli.printing import print_json
from saferec_core.plugins.manager import load_plugins

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Show, check and write plugins.", rich_markup_mode="rich")


@app.command("list")
def list_plugins(*, as_json: JsonOption = False) -> None:
    """List every component that the installed plugins offer, and the plugins that failed to load."""
    plugin_list.list_plugins(as_json=as_json)


@app.command()
def show(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="Name of a component, such as safety, or of a distribution that observes runs.",
            autocompletion=completion.components,
        ),
    ],
    *,
    as_json: JsonOption = False,
) -> None:
    """Show what a component does, its options, and what it declares, such as required columns."""
    plugins = load_plugins()
    from saferec_core.plugins.described import described

    shown: list[dict[str, Any]] = []
    if observed := plugins.observers().get(name):
        origin, observer = observed
        hooks = vars(observer)
        shown.append(
            {
                "kind": "observer",
                "name": name,
                "summary": "Observes runs.",
                "supplied_by": str(origin),
                "reference": ", ".join(sorted({hook.__module__ for hook in hooks.values()})),
                "declares": {"hooks": sorted(hooks)},
                "description": "\n\n".join(
                    f"{hook}: {inspect.getdoc(function) or 'no docstring'}"
                    for hook, function in hooks.items()
                ),
                "options": [],
            }
        )
    for entry in [] if shown else plugins.named(name):
        description = described(entry)
        shown.append(
            {
                "kind": entry.kind,
                "name": entry.name,
                "summary": entry.summary,
                "supplied_by": str(entry.origin),
                "reference": entry.reference,
                "declares": description.declares,
                "description": description.text,
                "options": [vars(option) for option in description.options],
            }
        )
    if as_json:
        print_json(shown, default=sorted)
        return
    from saferec_cli.render_plugins import component_sheet  # rich is not needed for JSON

    for component in shown:
        component_sheet(component)


app.command()(plugin_checks.new)
app.command()(plugin_checks.check)
app.command("audit")(plugin_checks.audit_plugins)
