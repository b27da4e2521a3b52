"""``saferec plugins new``, ``saferec plugins check`` and ``saferec plugins audit``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import typer

from saferec_cli import completion
from saferec_cli.options import JsonOption
from saferec_cli.printing import print_json
from saferec_core.plugins.manager import load_plugins

__all__ = ["audit_plugins", "check", "new"]

Kind = Literal[
    "reward", "oracle", "normalizer", "metric", "transform", "parser", "evidence", "alarm", "observer"
]
_KINDS = ", ".join(get_args(Kind))


def new(
    kind: Annotated[Kind, typer.Argument(metavar="KIND", help=f"One of {_KINDS}.")],
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="What a run configuration will call it, such as novelty.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Folder to write; by default saferec-NAME.")
    ] = None,
    summary: Annotated[
        str, typer.Option("--summary", metavar="TEXT", help="What it does, in one line.", show_default=False)
    ] = "",
) -> None:
    """Write an installable package with one component, its tests, a README and a CI file."""
    from saferec_core.plugins.scaffold import Package, new_package  # only here: it needs templates

    folder = new_package(kind, name, out, summary=summary)
    package = Package(kind, name)
    typer.echo(f"{folder}: the {package.title} {name}\n")
    typer.echo(f"  pip install --editable {shlex.quote(f'{folder}[test]')}")
    typer.echo(f"  python -m pytest {shlex.quote(str(folder))}")
    typer.echo(f"  saferec plugins check {package.checked(folder)}")


def check(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="Name of a component, or of a distribution that observes runs; all that are not built in "
            "unless given.",
            autocompletion=completion.components,
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="OPTION=VALUE", help="Option to build NAME with; repeatable."),
    ] = None,
    rows: Annotated[
        Path | None,
        typer.Option(
            "--rows", metavar="FILE", help="Rows such as NAME reads: a transform or evidence source."
        ),
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Try the contract of its kind on an installed component; exit status 1 if a property does not hold."""
    from saferec_cli.render_plugin_checks import check_sheet
    from saferec_core.config.settings import merged, parse_setting
    from saferec_core.data.rows import read_rows
    from saferec_core.errors import ConfigError
    from saferec_core.testing.installed import check_installed, check_observer_installed

    plugins = load_plugins()
    if name is None and (settings or rows):
        raise ConfigError("--set and --rows belong to one component; name it")
    observers = [each for each in plugins.observers() if name in {None, each}]
    entries = [entry for entry in plugins if not entry.origin.is_built_in]
    if name is not None:
        entries = [] if observers else plugins.named(name)
    sample = list(read_rows(rows)) if rows else []
    options = merged(parse_setting(text) for text in settings or [])
    checked = [check_installed(entry, options, sample) for entry in entries]
    checked += [check_observer_installed(each, plugins) for each in observers]
    if as_json:
        print_json([_as_data(each) for each in checked])
    else:
        check_sheet(checked)
    if any(each.failures for each in checked):
        raise typer.Exit(1)


def audit_plugins(*, as_json: JsonOption = False) -> None:
    """Show every distribution that offers plugins: version, files and their hash, hooks, editable or not."""
    from saferec_core.plugins.audit import audit

    described = audit(load_plugins())
    if as_json:
        print_json(described)
        return
    from saferec_cli.render_plugin_checks import audit_sheet

    audit_sheet(described)


def _as_data(checked: Any) -> dict[str, Any]:
    entry = checked.entry
    return {
        "kind": entry.kind,
        "name": entry.name,
        "distribution": entry.origin.distribution,
        "version": entry.origin.version,
        "properties": checked.properties,
        "failures": dict(checked.failures),
        "does_not_apply": dict(checked.inapplicable),
        "not_checked": checked.not_checked,
    }
