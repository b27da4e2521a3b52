"""Popularity: whether a policy names what everybody names, and how much of the catalog it uses."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.contracts.metric import Better, Kind, Metric, Role, Unit

__all__ = ["CatalogCoverage", "Popularity"]


@component
class Popularity(Metric):
    """Mean popularity percentile, in 0..1, of the catalog titles in the top k.

    Titles drawn evenly from the catalog average 0.5; a policy that names what is named most often
    comes near 1. Titles outside the catalog have no popularity and are left out, and a list without
    any other has no value. How popular a title is, is a matter of the training data; see
    :func:`~saferec_core.evaluation.popularity.popularity_percentiles`.
    """

    at_depth: ClassVar[bool] = True
    better: ClassVar[Better] = "none"
    label: ClassVar[str] = "Popularity"
    role: ClassVar[Role] = "context"
    needs_popularity: ClassVar[bool] = True

    def __call__(self, lists: JudgedLists, k: int) -> Float[Tensor, " N"]:
        """Average over what is listed and in the catalog; 0 / 0 is NaN."""
        percentiles = lists.judge.popularity
        assert percentiles is not None  # else the metric is left out
        listed = lists.in_catalog[:, :k]
        indices = lists.catalog_indices[:, :k].clamp(min=0)
        return torch.where(listed, percentiles[indices], 0.0).sum(1) / listed.sum(1)


@component
class CatalogCoverage(Metric):
    """Share of the catalog's titles that the top k of any list names.

    It grows with the number of lists: only evaluations of as many lists compare.
    """

    at_depth: ClassVar[bool] = True
    better: ClassVar[Better] = "higher"
    kind: ClassVar[Kind] = "whole"
    label: ClassVar[str] = "Catalog coverage"
    unit: ClassVar[Unit] = "share of titles"
    role: ClassVar[Role] = "context"

    def __call__(self, lists: JudgedLists, k: int) -> Float[Tensor, ""]:
        """Mark what is named."""
        named = torch.zeros(len(lists.judge.catalog), dtype=torch.bool)
        named[lists.catalog_indices[:, :k][lists.in_catalog[:, :k]]] = True
        return named.to(torch.float64).mean()
