"""What a page calls metrics, and which of them stand for relevance and for safety."""

from __future__ import annotations

import re
from collections.abc import Collection

__all__ = ["label", "minus", "order", "percent", "relevance_metric", "safety_metric"]

_NAMES = {"ndcg": "NDCG", "kl": "KL"}


def label(metric: str) -> str:
    """Return a metric's name as it is read: ``Sensitivity ratio@10`` for ``sensitivity_ratio@10``."""
    base, at, k = metric.partition("@")
    return f"{_NAMES.get(base, base.replace('_', ' ').capitalize())}{at}{k}"


_ORDER = (
    "recall",
    "ndcg",
    "sensitivity_ratio",
    "sensitivity_ratio_upper",
    "any_violation",
    "violations",
    "list_length",
    "out_of_catalog",
    "coverage",
    "duplicates",
    "popularity",
)


def order(metric: str) -> tuple[int, str, int]:
    """Return what to sort metrics by: relevance, safety, the rest; each by K."""
    base, _, k = metric.partition("@")
    place = _ORDER.index(base) if base in _ORDER else len(_ORDER)
    return place, base, int(k) if k.isdigit() else 0


def minus(text: str) -> str:
    """Write numbers with a minus sign instead of a hyphen."""
    return text.replace("-", "\N{MINUS SIGN}")


def percent(share: float, decimals: int = 1) -> str:
    """Write a share as a percentage."""
    return f"{share * 100:.{decimals}f}\N{NO-BREAK SPACE}%"


def relevance_metric(metrics: Collection[str]) -> str | None:
    """Return what stands for relevance: Recall@10, else at the largest K, else NDCG."""
    return _at("recall", metrics) or _at("ndcg", metrics)


def safety_metric(metrics: Collection[str]) -> str | None:
    """Return what stands for safety: Sensitivity Ratio@10, else at the largest K."""
    return _at("sensitivity_ratio", metrics) or _at("any_violation", metrics)


def _at(base: str, metrics: Collection[str]) -> str | None:
    found = [int(match[1]) for name in metrics if (match := re.fullmatch(rf"{base}@(\d+)", name))]
    if not found:
        return None
    return f"{base}@{10 if 10 in found else max(found)}"
