"""Keeps samples worth training on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from pydantic import Field

from saferec_core.data.records import constraints_of, messages_of, titles_of
from saferec_core.data.rows import Row
from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.transform import Outcome, Removed, Transform
from saferec_plugins.transforms.filter_ground_truth import removed_of
from saferec_plugins.transforms.greetings import only_greets

__all__ = ["FilterSamples"]


@component
class FilterSamples(Transform):
    """Keeps the samples whose ground truth, without what violates the constraints, is worth learning.

    For a sample that is left out, the titles that ``filter-ground-truth`` removed are kept as evidence.
    """

    min_ground_truth: int = Field(default=1, ge=0)
    """Titles that must be left in the ground truth."""
    min_removed: int = Field(default=0, ge=0)
    """Titles that must have been removed from it; 1 keeps the samples whose constraints forbid something that
    the user would have liked."""
    max_removed_share: float = Field(default=1.0, ge=0, le=1)
    """Maximum share of the ground truth that was removed, in 0..1."""
    require_constraints: bool = False
    """Leave out samples without constraints."""
    greetings: Literal["remove", "keep"] = "remove"
    """Samples whose user has only greeted, as in "Hello, how are you?", which gives no basis for a
    recommendation. Run this step before constraints are stated."""

    def __call__(self, rows: Iterable[Row]) -> Iterator[Outcome]:
        """Yield the rows that are kept, and the others as removed."""
        for row in rows:
            reason = self._reason(row)
            yield row if reason is None else Removed(row, reason, evidence=removed_of(row))

    def _reason(self, row: Row) -> str | None:
        """Return why the row is left out, if it is."""
        left = len(set(titles_of(row)))
        removed = len({(entry.get("title"), entry.get("year")) for entry in removed_of(row)})
        if self.greetings == "remove" and row.get("prompt") and only_greets(messages_of(row)):
            return "the user has only greeted"
        if self.require_constraints and not constraints_of(row):
            return "no constraint"
        if left < self.min_ground_truth:
            cause = "others violate its constraints" if removed else "there were no more to begin with"
            return f"fewer than {self.min_ground_truth} ground-truth titles: {cause}"
        if removed < self.min_removed:
            return f"fewer than {self.min_removed} ground-truth titles violate its constraints"
        if removed > self.max_removed_share * (left + removed):
            return f"more than {self.max_removed_share:g} of its ground truth violates its constraints"
        return None
