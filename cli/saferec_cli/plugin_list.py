"""The list of installed components, as plain lines: typer and rich take longer than finding plugins."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

from saferec_cli.printing import print_json
from saferec_core.plugins.manager import load_plugins
from saferec_core.plugins.offered import Plugins, PluginState

__all__ = ["list_plugins"]

_BOLD, _DIM, _RED, _YELLOW = "1", "2", "31", "33"
"""Parameters of the escape sequences that terminals know."""

_NARROWEST = 20
"""Columns that a summary gets on however narrow a terminal."""


def list_plugins(*, as_json: bool) -> None:
    """Print every component by kind, and what is wrong with plugins that cannot be used."""
    plugins = load_plugins()
    if as_json:
        print_json(_as_data(plugins))
        return
    for line in _lines(plugins, shutil.get_terminal_size().columns):
        sys.stdout.write(f"{line}\n")


def _styled(text: str, *styles: str) -> str:
    """Style a text where a terminal reads it."""
    if not styles or os.environ.get("NO_COLOR") or not sys.stdout.isatty():
        return text
    return f"\x1b[{';'.join(styles)}m{text}\x1b[0m"


def _lines(plugins: Plugins, width: int) -> Iterator[str]:
    entries = [
        (each.kind, each.name, each.summary, f"{each.origin.distribution} {each.origin.version}")
        for each in plugins
    ]
    for name, (origin, observer) in plugins.observers().items():
        events = ", ".join(hook.removeprefix("saferec_").replace("_", " ") for hook in sorted(vars(observer)))
        entries.append(("observer", name, f"Observes runs: {events}.", f"{name} {origin.version}"))
    names = max((len(name) for _, name, _, _ in entries), default=0)
    suppliers = max((len(supplier) for *_, supplier in entries), default=0)
    room = max(_NARROWEST, width - names - suppliers - 6)
    for kind, of_kind in groupby(entries, key=lambda entry: entry[0]):
        yield _styled(kind, _BOLD)
        for _, name, summary, supplier in of_kind:
            first, *others = textwrap.wrap(summary, room) or [""]
            yield f"  {name:{names}}  {first:{room}}  {_styled(supplier, _DIM)}"
            yield from (f"  {'':{names}}  {line}" for line in others)
    conflicts = (
        f"{same[0].kind} {same[0].name!r}: {', '.join(str(entry.origin) for entry in same)}"
        for same in plugins.conflicts()
    )
    notes = (f"{state.origin}: {note}" for state in plugins.states for note in state.notes)
    broken = (f"{state.origin}: {state.reason}" for state in plugins.broken)
    yield from _section("failed to load", broken, width, _RED)
    yield from _section("offered twice, so that no run can use it", conflicts, width, _RED)
    yield from _section("notes", notes, width, _YELLOW)
    yield from _section("switched off", map(str, (state.origin for state in plugins.disabled)), width)


def _section(title: str, texts: Iterable[str], width: int, *color: str) -> Iterator[str]:
    """Yield texts under a title; nothing if there are none."""
    for number, text in enumerate(texts):
        if number == 0:
            yield "\n" + _styled(title, _BOLD, *color)
        wrapped = textwrap.wrap(text, max(_NARROWEST, width - 2), break_on_hyphens=False)
        yield from (_styled(f"  {line}", *color) for line in wrapped)


def _as_data(plugins: Plugins) -> dict[str, Any]:
    conflicting = {entry for entries in plugins.conflicts() for entry in entries}
    return {
        "components": [
            {
                "kind": entry.kind,
                "name": entry.name,
                "summary": entry.summary,
                "distribution": entry.origin.distribution,
                "version": entry.origin.version,
                "reference": entry.reference,
                **({"conflict": True} if entry in conflicting else {}),
            }
            for entry in plugins
        ],
        "plugins": [_state_as_data(state) for state in plugins.states],
        "broken": [_state_as_data(state) for state in plugins.broken],
    }


def _state_as_data(state: PluginState) -> dict[str, Any]:
    return {
        "entry_point": state.origin.entry_point,
        "distribution": state.origin.distribution,
        "version": state.origin.version,
        "status": state.status,
        "reason": state.reason,
        "notes": list(state.notes),
    }
