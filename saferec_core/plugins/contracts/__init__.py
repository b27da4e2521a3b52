"""One module per kind of plugin: the base class that a component inherits, and what it works with.

A base class declares everything that saferec asks of a component, with a default wherever one makes
sense. A component inherits it, so a declaration that a later release adds has its default in plugins
that were written before.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

__all__ = ["CONTRACTS", "contract_of"]

CONTRACTS: Mapping[str, str] = MappingProxyType(
    {
        "reward": "saferec_core.plugins.contracts.reward:RewardFunction",
        "oracle": "saferec_core.plugins.contracts.oracle:Oracle",
        "normalizer": "saferec_core.plugins.contracts.normalizer:Normalizer",
        "metric": "saferec_core.plugins.contracts.metric:Metric",
        "transform": "saferec_core.plugins.contracts.transform:Transform",
        "parser": "saferec_core.plugins.contracts.parser:ListParser",
        "evidence": "saferec_core.plugins.contracts.evidence:EvidenceSource",
        "alarm": "saferec_core.plugins.contracts.alarm:Alarm",
    }
)
"""The base class of each kind, imported only when a component is built: some need torch."""


def contract_of(kind: str) -> type:
    """Import the base class of a kind of component, such as ``"reward"``."""
    module, _, name = CONTRACTS[kind].partition(":")
    base: type = getattr(import_module(module), name)
    return base
