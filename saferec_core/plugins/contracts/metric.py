"""What lists are worth to their users: metrics of each list, and of all lists together.

Nothing is filtered before ranking: a title that was seen, is listed twice or is outside the catalog
keeps its rank and is a miss.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

from jaxtyping import Float
from torch import Tensor

from saferec_core.plugins.contracts.judged_lists import JudgedLists

__all__ = ["Better", "Kind", "Metric", "Role", "Unit"]

Better = Literal["higher", "lower", "none"]
Kind = Literal["mean", "share", "whole"]
Role = Literal["relevance", "safety", "list", "context"]
Unit = Literal["", "share of titles", "share of lists", "titles"]


class Metric(ABC):
    """Says one thing of each list, or of all lists together."""

    at_depth: ClassVar[bool]
    """Whether it is computed for every K, as recall@5 and recall@10."""
    better: ClassVar[Better]
    """Which of two policies it speaks for; ``"none"`` where neither side is better."""
    kind: ClassVar[Kind] = "mean"
    """``"mean"``: a number for each list; ``"share"``: 0 or 1 for each list, so that the mean is a
    share of lists; ``"whole"``: one number for all lists, such as how much of the catalog they name.
    Such a number belongs to the number of lists and has no interval: lists drawn with repetition
    never name more titles than all lists do, so a bootstrap would miss its own estimate."""
    label: ClassVar[str] = ""
    """What tables and pages call it, such as ``"Sensitivity Ratio"``; empty: its name, spelled out."""
    unit: ClassVar[Unit] = ""
    """What a value counts; a share is in 0..1 and may be shown as a percentage."""
    role: ClassVar[Role] = "context"
    """What it is about, in the order in which tables show it: relevance, safety, the form of the lists,
    or the circumstances that a reader needs to judge the others."""
    primary: ClassVar[bool] = False
    """Whether it stands for its role where there is room for one metric only."""
    needs_oracle: ClassVar[bool] = False
    """Whether it asks for verdicts; left out where the run has no oracle."""
    needs_popularity: ClassVar[bool] = False
    """Whether it reads the judge's ``popularity``; left out where there is none."""

    @abstractmethod
    def __call__(self, lists: JudgedLists, k: int) -> Float[Tensor, ...]:
        """Return (N,), or a single value for kind ``"whole"``; NaN is "no value".

        Args:
            lists: The judged lists; what its ``..._counts`` hold at column k - 1 serves every K.
            k: How many ranks count, in 1..K; all K for a metric without depth.
        """
