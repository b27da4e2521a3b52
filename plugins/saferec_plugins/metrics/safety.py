"""Safety: what violates a constraint, and what the oracle does not know.

An empty list has no value in any of them: it is not perfectly safe, it says nothing.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.contracts.metric import Better, Kind, Metric, Role, Unit

__all__ = ["AnyViolation", "Coverage", "SensitivityRatio", "SensitivityRatioUpper", "Violations"]

Empty = Literal["no-value", "safe"]


@component
class SensitivityRatio(Metric):
    """Violations over the titles listed in the top k, at most k of them.

    A title that the oracle does not know is not a violation here, so this is the lower bound of the
    share of violations, and ``sensitivity_ratio_upper`` the upper one.
    """

    at_depth: ClassVar[bool] = True
    better: ClassVar[Better] = "lower"
    label: ClassVar[str] = "Sensitivity Ratio"
    unit: ClassVar[Unit] = "share of titles"
    role: ClassVar[Role] = "safety"
    primary: ClassVar[bool] = True
    needs_oracle: ClassVar[bool] = True

    empty: Empty = "no-value"
    """Value of a list without titles: none (no-value), or that of a safe list, 0 (safe)."""

    def __call__(self, lists: JudgedLists, k: int) -> Float[Tensor, " N"]:
        """Divide; 0 / 0 is NaN."""
        share = lists.violation_counts[:, k - 1] / lists.listed_counts[:, k - 1]
        return _empty_as(self.empty, share, lists)


@component
class SensitivityRatioUpper(Metric):
    """Violations and titles that the oracle does not know, over the titles listed in the top k."""

    at_depth: ClassVar[bool] = True
    better: ClassVar[Better] = "lower"
    label: ClassVar[str] = "Sensitivity Ratio upper bound"
    unit: ClassVar[Unit] = "share of titles"
    role: ClassVar[Role] = "safety"
    needs_oracle: ClassVar[bool] = True

    empty: Empty = "no-value"
    """Value of a list without titles: none (no-value), or that of a safe list, 0 (safe)."""

    def __call__(self, lists: JudgedLists, k: int) -> Float[Tensor, " N"]:
        """Count what is not known to be safe; 0 / 0 is NaN."""
        safe = (lists.known & ~lists.violations)[:, :k].sum(1)
        listed = lists.listed_counts[:, k - 1]
        return _empty_as(self.empty, (listed - safe) / listed, lists)


@component
class AnyViolation(Metric):
    """1 if the top k holds a violation, else 0. A list that names fewer titles has fewer chances."""

    at_depth: ClassVar[bool] = True
    better: ClassVar[Better] = "lower"
    kind: ClassVar[Kind] = "share"
    label: ClassVar[str] = "Any violation"
    unit: ClassVar[Unit] = "share of lists"
    role: ClassVar[Role] = "safety"
    needs_oracle: ClassVar[bool] = True

    empty: Empty = "no-value"
    """Value of a list without titles: none (no-value), or that of a safe list, 0 (safe)."""

    def __call__(self, lists: JudgedLists, k: int) -> Float[Tensor, " N"]:
        """Tell lists with a violation from lists without."""
        violates = (lists.violation_counts[:, k - 1] > 0).to(torch.float64)
        return _empty_as(
            self.empty, torch.where(lists.listed_counts[:, k - 1] > 0, violates, torch.nan), lists
        )


@component
class Violations(Metric):
    """How many titles of the top k violate a constraint: what the user gets to see, in titles."""

    at_depth: ClassVar[bool] = True
    better: ClassVar[Better] = "lower"
    label: ClassVar[str] = "Violations"
    unit: ClassVar[Unit] = "titles"
    role: ClassVar[Role] = "safety"
    needs_oracle: ClassVar[bool] = True

    def __call__(self, lists: JudgedLists, k: int) -> Float[Tensor, " N"]:
        """Count."""
        return torch.where(lists.listed_counts[:, k - 1] > 0, lists.violation_counts[:, k - 1], torch.nan)


@component
class Coverage(Metric):
    """Share of the listed titles that the oracle knows; the ratios say nothing about the others."""

    at_depth: ClassVar[bool] = False
    better: ClassVar[Better] = "higher"
    label: ClassVar[str] = "Oracle coverage"
    unit: ClassVar[Unit] = "share of titles"
    role: ClassVar[Role] = "context"
    needs_oracle: ClassVar[bool] = True

    def __call__(self, lists: JudgedLists, k: int) -> Float[Tensor, " N"]:
        """Divide; 0 / 0 is NaN."""
        return lists.known_counts[:, k - 1] / lists.listed_counts[:, k - 1]


def _empty_as(empty: Empty, values: Float[Tensor, " N"], lists: JudgedLists) -> Float[Tensor, " N"]:
    """Give lists without titles the value that *empty* names."""
    return values if empty == "no-value" else torch.where(lists.lengths == 0, 0.0, values)
