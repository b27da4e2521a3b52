"""Build the components that settings name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from saferec_core.config.schema import ComponentChoice
from saferec_core.data.catalog import Catalog, read_catalog
from saferec_core.errors import ConfigError, DataError, PluginError
from saferec_core.plugins.component import build
from saferec_core.plugins.contracts.oracle import Oracle
from saferec_core.plugins.manager import Plugins, load_plugins
from saferec_core.plugins.registry import Registry

__all__ = ["build_oracle", "chosen", "chosen_catalog"]


def chosen(
    plugins: Plugins,
    registry: Registry[Any],
    choice: ComponentChoice,
    inherited: Mapping[str, Any] | None = None,
) -> Any:
    """Build the component that *choice* names; see :func:`saferec_core.plugins.component.build`."""
    return build(plugins.find(registry, choice.name), choice.options, inherited)


def chosen_catalog(path: Path, *, year_tolerance: int = 2) -> Catalog:
    """Read a catalog that an option names; see :func:`saferec_core.data.catalog.read_catalog`.

    Raises:
        ConfigError: It is missing or damaged, which is no fault of the row in hand.
    """
    try:
        return read_catalog(path, year_tolerance=year_tolerance)
    except DataError as error:
        raise ConfigError(str(error)) from error
    except OSError as error:
        raise ConfigError(f"catalog {path} cannot be read: {error.strerror or error}") from error


def build_oracle(choice: ComponentChoice, *, year_tolerance: int, plugins: Plugins | None = None) -> Oracle:
    """Build an oracle and have it read what it reads.

    Args:
        choice: Its name and options.
        year_tolerance: What it takes over unless its own options say otherwise.
        plugins: What is installed; looked up if not given.

    Raises:
        ConfigError: What it reads is missing or damaged, which is no fault of the row in hand.
    """
    plugins = plugins or load_plugins()
    entry = plugins.find(plugins.oracles, choice.name)
    try:
        oracle: Oracle = build(entry, choice.options, {"year_tolerance": year_tolerance})
        len(oracle.traits)  # a damaged table is to be found now, not at the first batch
    except DataError as error:
        raise ConfigError(str(error)) from error
    except AttributeError as error:
        raise PluginError(f"oracle {entry.name!r} of {entry.origin} must name its traits") from error
    return oracle
