"""Build the components that settings name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from saferec_core.components import build
from saferec_core.config import ComponentChoice
from saferec_core.errors import PluginError
from saferec_core.oracle import Oracle
from saferec_core.plugins import Plugins, load_plugins
from saferec_core.registry import Registry

__all__ = ["build_oracle", "chosen"]


def chosen(
    plugins: Plugins,
    registry: Registry[Any],
    choice: ComponentChoice,
    inherited: Mapping[str, Any] | None = None,
) -> Any:
    """Build the component that *choice* names; see :func:`saferec_core.components.build`."""
    return build(plugins.find(registry, choice.name), choice.options, inherited)


def build_oracle(choice: ComponentChoice, *, year_tolerance: int, plugins: Plugins | None = None) -> Oracle:
    """Build an oracle and have it read what it reads.

    Args:
        choice: Its name and options.
        year_tolerance: What it takes over unless its own options say otherwise.
        plugins: What is installed; looked up if not given.
    """
    plugins = plugins or load_plugins()
    entry = plugins.find(plugins.oracles, choice.name)
    oracle: Oracle = build(entry, choice.options, {"year_tolerance": year_tolerance})
    try:
        len(oracle.traits)  # a damaged table is to be found now, not at the first batch
    except AttributeError as error:
        raise PluginError(f"oracle {entry.name!r} of {entry.origin} must name its traits") from error
    return oracle
