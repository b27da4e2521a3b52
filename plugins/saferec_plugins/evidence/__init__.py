"""Built-in sources of evidence for an oracle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from saferec_core import hookimpl

if TYPE_CHECKING:
    from saferec_core.plugins.contracts.evidence import EvidenceSource
    from saferec_core.plugins.registry import Registry

__all__ = ["saferec_register_evidence"]

_HERE = "saferec_plugins.evidence"


@hookimpl
def saferec_register_evidence(registry: Registry[EvidenceSource]) -> None:
    """Offer the built-in sources."""
    for name, reference, summary in (
        ("warnings", "warnings:Warnings", "Yes/no answers to warning questions (DoesTheDogDie style)."),
        (
            "parent-guide",
            "parent_guide:ParentGuide",
            "Severities 0..3 in the five parental-guide categories.",
        ),
        ("rating-reasons", "rating_reasons:RatingReasons", "Written reasons of MPA ratings, read by rules."),
        ("scores", "scores:Scores", "Kids-In-Mind scores and genres, read by rules."),
        ("keywords", "keywords:Keywords", "Lists of keywords, tags or genres, read by rules."),
        (
            "assign-risk",
            "assign_risk:AssignRisk",
            "A language model's estimates, where people's are missing.",
        ),
    ):
        registry.add(name, f"{_HERE}.{reference}", summary=summary)
