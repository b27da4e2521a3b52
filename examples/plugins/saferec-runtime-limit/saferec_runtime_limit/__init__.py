"""A plugin of saferec: limits of running time and release year, as users state them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from saferec_core import hookimpl

if TYPE_CHECKING:
    from saferec_core.plugins.contracts.oracle import Oracle
    from saferec_core.plugins.contracts.transform import Transform
    from saferec_core.plugins.registry import Registry

__all__ = ["saferec_register_oracles", "saferec_register_transforms"]


@hookimpl
def saferec_register_oracles(registry: Registry[Oracle]) -> None:
    """Offer the oracles."""
    registry.add(
        "limits",
        "saferec_runtime_limit.oracle:LimitsOracle",
        summary="Judges limits such as max_runtime=100 and min_year=1990 by a table of running times.",
    )
    registry.add(
        "time-at-hand",
        "saferec_runtime_limit.oracle:TimeAtHandOracle",
        summary="Judges whether a film fits into the minutes that the user's record states.",
    )


@hookimpl
def saferec_register_transforms(registry: Registry[Transform]) -> None:
    """Offer the transform that reads limits out of prompts."""
    registry.add(
        "stated-limits",
        "saferec_runtime_limit.transform:StatedLimits",
        summary="Adds the limits that a prompt states to the constraints of its record.",
    )
