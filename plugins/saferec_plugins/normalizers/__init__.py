"""Built-in normalizers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from saferec_core import hookimpl

if TYPE_CHECKING:
    from saferec_core.plugins.contracts.normalizer import Normalizer
    from saferec_core.plugins.registry import Registry

__all__ = ["saferec_register_normalizers"]


@hookimpl
def saferec_register_normalizers(registry: Registry[Normalizer]) -> None:
    """Offer the built-in normalizers."""
    registry.add(
        "grpo",
        "saferec_plugins.normalizers.grpo:GRPONormalizer",
        summary="Weighted sum of the rewards, then normalized by prompt and rank.",
    )
    registry.add(
        "gdpo",
        "saferec_plugins.normalizers.gdpo:GDPONormalizer",
        summary="Each reward normalized on its own, then the weighted sum over the batch.",
    )
