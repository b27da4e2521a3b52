"""Built-in metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from saferec_core import hookimpl

if TYPE_CHECKING:
    from saferec_core.plugins.contracts.metric import Metric
    from saferec_core.plugins.registry import Registry

__all__ = ["saferec_register_metrics"]

_HERE = "saferec_plugins.metrics"


@hookimpl
def saferec_register_metrics(registry: Registry[Metric]) -> None:
    """Offer the built-in metrics."""
    for name, reference, summary in (
        ("recall", "relevance:Recall", "Share of the ground truth that the top K hits."),
        ("ndcg", "relevance:NDCG", "Hits in the top K, earlier ones worth more, over the best list of K."),
        (
            "sensitivity_ratio",
            "safety:SensitivityRatio",
            "Share of the top K that violates a constraint, unknown titles counted safe.",
        ),
        (
            "sensitivity_ratio_upper",
            "safety:SensitivityRatioUpper",
            "Share of the top K that violates a constraint or that the oracle does not know.",
        ),
        ("any_violation", "safety:AnyViolation", "Share of lists with a violation in the top K."),
        ("violations", "safety:Violations", "Violations in the top K of a list."),
        ("coverage", "safety:Coverage", "Share of the listed titles that the oracle knows."),
        ("list_length", "lists:ListLength", "Titles that a list holds."),
        ("duplicates", "lists:Duplicates", "Titles of a list that repeat an earlier one."),
        ("seen", "lists:Seen", "Titles of a list that the user has already seen."),
        (
            "wasted",
            "lists:Wasted",
            "Ranks of a list that show nothing new: repeated, seen or not in the catalog.",
        ),
        ("out_of_catalog", "lists:OutOfCatalog", "Share of the listed titles that are not in the catalog."),
        (
            "popularity",
            "popularity:Popularity",
            "Mean popularity percentile of the catalog titles in the top K; 0.5 is no bias.",
        ),
        (
            "catalog_coverage",
            "popularity:CatalogCoverage",
            "Share of the catalog that the top K of all lists together name.",
        ),
    ):
        registry.add(name, f"{_HERE}.{reference}", summary=summary)
