"""What the contracts say of installed components, and what is installed as a plugin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from saferec_cli.consoles import PlainConsole

if TYPE_CHECKING:
    from saferec_core.testing import Checked

__all__ = ["audit_sheet", "check_sheet"]


def check_sheet(checked: Iterable[Checked]) -> None:
    """Print for each component which properties of its contract do not hold, and which do not apply."""
    console = PlainConsole()
    some = False
    for each in checked:
        some = True
        entry = each.entry
        head = f"{entry.kind} {entry.name} ({entry.origin.distribution} {entry.origin.version})"
        if each.not_checked:
            console.print(f"[yellow]not checked[/]  {escape(head)}", highlight=False)
            console.print(Padding(escape(each.not_checked), (0, 0, 0, 4), expand=False), highlight=False)
        elif each.failures:
            console.print(f"[red]fails[/]        {escape(head)}", highlight=False)
        else:
            console.print(
                f"[green]holds[/]        {escape(head)}: {each.properties} properties", highlight=False
            )
        for name, why in each.failures.items():
            console.print(
                Padding(f"[bold]{escape(_title(name))}[/]", (0, 0, 0, 4), expand=False), highlight=False
            )
            console.print(Padding(escape(why), (0, 0, 0, 8), expand=False), highlight=False)
        for why, names in _by_reason(each.inapplicable).items():
            if not (each.failures and "see test_" in why):  # else a failure that is printed above says it
                text = f"[dim]does not apply: {escape(why)}:[/] {escape(', '.join(map(_title, names)))}"
                console.print(Padding(text, (0, 0, 0, 4), expand=False), highlight=False)
    if not some:
        console.print("No plugin beside the built-in ones is installed; name one to check it.")


def _title(name: str) -> str:
    return name.removeprefix("test_").replace("_", " ")


def _by_reason(reasons: Mapping[str, str]) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for name, why in reasons.items():
        names.setdefault(why, []).append(name)
    return names


def audit_sheet(described: Sequence[Mapping[str, Any]]) -> None:
    """Print every distribution with what it consists of and offers."""
    console = PlainConsole()
    for each in described:
        editable = " [yellow](editable)[/]" if each["editable"] else ""
        console.print(f"[bold]{escape(each['distribution'])}[/] {escape(each['version'])}{editable}")
        facts = Table.grid(padding=(0, 2))
        facts.add_column(no_wrap=True)
        facts.add_column(overflow="fold")
        points = (f"{name} = {value}" for name, value in each["entry_points"].items())
        for title, value in (
            ("location", each["location"]),
            ("entry points", ", ".join(points)),
            ("hooks", ", ".join(each["hooks"])),
            ("components", ", ".join(each["components"])),
            ("files", f"{each['files']}, sha256 {each['sha256']}"),
        ):
            facts.add_row(f"[dim]{title}[/]", escape(value))
        problems = {
            "changed since installed": each["changed"],
            "missing": each["missing"],
            "failed to load": [f"{name}: {reason}" for name, reason in each["broken"].items()],
        }
        for title, values in problems.items():
            if values:
                facts.add_row(f"[red]{title}[/]", escape(", ".join(values)))
        console.print(Padding(facts, (0, 0, 0, 2)))
