"""What a reward function declares, what it is given and what it returns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

from jaxtyping import Float
from torch import Tensor

from saferec_core.plugins.contracts.judged_lists import JudgedLists

__all__ = ["Direction", "RewardFunction", "Scope"]

Scope = Literal["rank", "list"]
Direction = Literal["gain", "cost"]


class RewardFunction(ABC):
    """Values each rank of a completion, or the completion as a whole; larger is always better.

    Not yet weighted: the normalizer combines reward functions by the weights of the run.
    """

    scope: ClassVar[Scope]
    """``"rank"``: entry [n, k] credits the tokens of rank k + 1. ``"list"``: entry [n] credits all."""
    direction: ClassVar[Direction] = "gain"
    """``"gain"``: the policy should earn as much of it as possible. ``"cost"``: a price, never above 0,
    that it should stop paying."""
    columns: ClassVar[tuple[str, ...]] = ()
    """Dataset columns that every record must have for this reward."""
    deterministic: ClassVar[bool] = True
    """Whether the same list to the same record always has the same value; else it is never cached. A reward
    that depends on ``lists.context``, on a state or on a generator of its own says False."""
    needs_oracle: ClassVar[bool] = False
    """Whether it asks for verdicts; refused before training where the run has no oracle."""
    factors: ClassVar[tuple[str, ...]] = ()
    """Options that multiply every value. Where the normalizer divides them out, a run that sets one
    gets a note that it has no effect."""
    unwritten: ClassVar[tuple[str, ...]] = ()
    """Options that only give a value to ranks that were not written. Where the normalizer looks at written
    ranks alone, a run that sets one gets a note that it has no effect."""
    target: int | None = None
    """Titles that a completion should list, if the reward wants a number; at most the K ranks of the run."""

    def range(self, num_ranks: int) -> tuple[float, float] | None:  # noqa: ARG002 - for those that declare one
        """Return the smallest and the largest value of lists with at most *num_ranks* (K) titles.

        A deviation between siblings is large or small only beside this; a run reports, once, a value that is
        outside of it. None: the reward declares no range.
        """
        return None

    @property
    def local(self) -> bool:
        """Whether another title at a rank changes the value of that rank only, titles that repeat aside.

        A reward of scope ``"rank"`` that credits what comes later, or looks at neighbors, says False.
        """
        return True

    @abstractmethod
    def __call__(self, lists: JudgedLists) -> Float[Tensor, ...]:
        """Return (N, K) for scope ``"rank"`` or (N,) for scope ``"list"``; NaN is "no value".

        May be ``async``. Tensors and NumPy arrays of any real type are accepted, on any device. ``lists``
        must stay as they are; ``lists.context`` has the step and logs figures. A reward with a state has
        ``state_dict()`` and ``load_state_dict(state)``, which checkpoints call; it keeps the state in an
        option-less field such as ``seen: dict[str, int] = field(default_factory=dict, init=False)``. A state
        consists of tensors, numbers, text and lists, tuples, sets and dictionaries of these. It is copied
        before every step, should the step fail: weights that nobody changes do not belong into it.
        """
