"""What a reward function is given and what it returns."""

from __future__ import annotations

from typing import ClassVar, Literal, Protocol

from jaxtyping import Float
from torch import Tensor

from saferec_core.plugins.contracts.judged_lists import JudgedLists

__all__ = ["RewardFunction", "Scope"]

Scope = Literal["rank", "list"]


class RewardFunction(Protocol):
    """Values each rank of a completion, or the completion as a whole.

    Not yet weighted: the normalizer combines reward functions by the weights of the run.
    """

    scope: ClassVar[Scope]
    """``"rank"``: entry [n, k] credits the tokens of rank k + 1. ``"list"``: entry [n] credits all."""
    columns: ClassVar[tuple[str, ...]]
    """Dataset columns that every record must have for this reward."""

    def __call__(self, lists: JudgedLists) -> Float[Tensor, ...]:
        """Return (N, K) for scope ``"rank"`` or (N,) for scope ``"list"``; NaN is "no value"."""
        ...
