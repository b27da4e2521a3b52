"""Whether what a command says of plugins is about plugins that are there, and whether all can be used."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from saferec_core.errors import ConfigError, PluginError, near_misses
from saferec_core.plugins.registry import Entry, Origin
from saferec_core.plugins.selection import Selection, canonical
from saferec_core.plugins.time_limits import limits_by_name

__all__ = ["check_all_sound", "check_left_out", "check_limits"]


def check_left_out(selection: Selection, installed: Iterable[Origin]) -> None:
    """Refuse to switch off what is not there: a slip would leave the plugin on.

    Args:
        selection: The choice of plugins.
        installed: Every plugin that was found.

    Raises:
        ConfigError: The message names those that can be switched off.
    """
    known: set[str] = {"all"}
    outside = [origin for origin in installed if not origin.is_built_in]
    for origin in outside:
        distribution, point = canonical(origin.distribution), canonical(origin.entry_point)
        known |= {distribution, point, f"{distribution}:{point}"}
    if unknown := sorted(selection.required - known):
        names = ", ".join(sorted({origin.distribution for origin in outside})) or "none"
        raise ConfigError(
            f"--no-plugin {unknown[0]}: no such plugin is installed. Those that can be switched off: {names}"
        )


def check_limits(known: Collection[str], built_in: Collection[str]) -> None:
    """Refuse to give time to what is not there: a slip would leave the limit as it is.

    Args:
        known: Names of the components and hooks of which calls are limited.
        built_in: Names of the components of which none are.

    Raises:
        ConfigError: The message names the near misses.
    """
    for name in limits_by_name():
        if name in built_in and name not in known:
            raise ConfigError(f"--call-timeout {name}=...: it is built in, and what is built in has no limit")
        if name not in known:
            raise ConfigError(
                f"--call-timeout {name}=...: no component has that name.{near_misses(name, known)} "
                "`saferec plugins list` shows the names"
            )


def check_all_sound(broken: Iterable[tuple[Origin, str]], conflicts: Iterable[Sequence[Entry[Any]]]) -> None:
    """Refuse plugins that cannot be used, and names that several offer.

    Args:
        broken: Plugins that cannot be used, with the reason.
        conflicts: Components that several plugins offer under one name.

    Raises:
        PluginError: The message lists them all.
    """
    problems = [f"{origin}: {reason}" for origin, reason in broken]
    problems += [
        f"{entries[0].kind} {entries[0].name!r} is offered by {_suppliers(entries)}" for entries in conflicts
    ]
    if problems:
        lines = "".join(f"\n  {problem}" for problem in problems)
        raise PluginError(f"--strict-plugins: {len(problems)} problems with the installed plugins{lines}")


def _suppliers(entries: Iterable[Entry[Any]]) -> str:
    return " and by ".join(str(entry.origin) for entry in entries)
