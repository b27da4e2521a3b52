"""Built-in oracles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from saferec_core import hookimpl

if TYPE_CHECKING:
    from saferec_core.plugins.contracts.oracle import Oracle
    from saferec_core.plugins.registry import Registry

__all__ = ["saferec_register_oracles"]


@hookimpl
def saferec_register_oracles(registry: Registry[Oracle]) -> None:
    """Offer the built-in oracles."""
    registry.add(
        "table",
        "saferec_plugins.oracles.table:TableOracle",
        summary="SafetyOracle: looks risks up in an oracle file (.arrow) or a table (JSONL).",
    )
