"""The lists themselves: how long they are, what they repeat, what they make up."""

from __future__ import annotations

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.contracts.metric import Better, Metric, Role, Unit

__all__ = ["Duplicates", "ListLength", "OutOfCatalog", "Seen", "Wasted"]


@component
class ListLength(Metric):
    """How many titles a list holds, those beyond the K ranks and repeated ones included."""

    at_depth: ClassVar[bool] = False
    better: ClassVar[Better] = "none"
    label: ClassVar[str] = "List length"
    unit: ClassVar[Unit] = "titles"
    role: ClassVar[Role] = "list"

    def __call__(self, lists: JudgedLists, k: int) -> Float[Tensor, " N"]:  # noqa: ARG002 - the contract
        """Count."""
        return lists.lengths


@component
class Duplicates(Metric):
    """How many titles of a list, those beyond the K ranks included, repeat an earlier one.

    Titles of one catalog entry are the same, whatever year each is written with.
    """

    at_depth: ClassVar[bool] = False
    better: ClassVar[Better] = "lower"
    label: ClassVar[str] = "Duplicates"
    unit: ClassVar[Unit] = "titles"
    role: ClassVar[Role] = "list"

    def __call__(self, lists: JudgedLists, k: int) -> Float[Tensor, " N"]:  # noqa: ARG002 - the contract
        """Count."""
        return lists.lengths - lists.distinct_lengths


@component
class Seen(Metric):
    """How many titles of a list, within its K ranks, the user has already seen."""

    at_depth: ClassVar[bool] = False
    better: ClassVar[Better] = "lower"
    label: ClassVar[str] = "Seen titles"
    unit: ClassVar[Unit] = "titles"
    role: ClassVar[Role] = "list"

    def __call__(self, lists: JudgedLists, k: int) -> Float[Tensor, " N"]:
        """Count."""
        return lists.seen[:, :k].sum(1).double()


@component
class Wasted(Metric):
    """How many of a list's K ranks show the user nothing new: repeated, seen or outside the catalog."""

    at_depth: ClassVar[bool] = False
    better: ClassVar[Better] = "lower"
    label: ClassVar[str] = "Wasted ranks"
    unit: ClassVar[Unit] = "titles"
    role: ClassVar[Role] = "list"

    def __call__(self, lists: JudgedLists, k: int) -> Float[Tensor, " N"]:
        """Count each rank once, however many reasons there are."""
        return lists.wasted[:, :k].sum(1).double()


@component
class OutOfCatalog(Metric):
    """Share of the listed titles that may not be recommended at all; no value for an empty list."""

    at_depth: ClassVar[bool] = False
    better: ClassVar[Better] = "lower"
    label: ClassVar[str] = "Out of catalog"
    unit: ClassVar[Unit] = "share of titles"
    role: ClassVar[Role] = "list"

    def __call__(self, lists: JudgedLists, k: int) -> Float[Tensor, " N"]:
        """Divide; 0 / 0 is NaN."""
        outside = (~lists.in_catalog & lists.rank_mask).sum(1)
        return outside / lists.listed_counts[:, k - 1]
