"""A plugin of saferec for another domain: video games."""

from __future__ import annotations

from typing import TYPE_CHECKING

from saferec_core import hookimpl

if TYPE_CHECKING:
    from saferec_core.plugins.contracts.evidence import EvidenceSource
    from saferec_core.plugins.contracts.transform import Transform
    from saferec_core.plugins.registry import Registry

__all__ = ["saferec_register_evidence", "saferec_register_transforms"]


@hookimpl
def saferec_register_transforms(registry: Registry[Transform]) -> None:
    """Offer the importer."""
    registry.add(
        "from-playtimes",
        "saferec_games.playtimes:FromPlaytimes",
        summary="Imports play times of video games, a sample for each player.",
    )


@hookimpl
def saferec_register_evidence(registry: Registry[EvidenceSource]) -> None:
    """Offer the source of evidence."""
    registry.add(
        "esrb",
        "saferec_games.esrb:EsrbDescriptors",
        summary="Content descriptors of the ESRB, such as Blood and Gore.",
    )
