"""The cost of questions, and its limit."""

from __future__ import annotations

from dataclasses import dataclass

from saferec_core.endpoints.cache import Totals
from saferec_core.errors import RunError

__all__ = ["Prices", "SpendingAccount", "money"]

_MILLION = 1_000_000


@dataclass(frozen=True)
class Prices:
    """Prices per million tokens."""

    tokens_in: float
    tokens_out: float

    def cost(self, tokens_in: int, tokens_out: int) -> float:
        """Return the cost in the prices' currency."""
        return (tokens_in * self.tokens_in + tokens_out * self.tokens_out) / _MILLION


@dataclass
class SpendingAccount:
    """What one configuration (model, prompt, parameters) has asked and paid."""

    prices: Prices | None
    max_cost: float | None
    asked_by: str = "the model"
    """Name of the component that asks, for errors."""
    asked: int = 0
    """Questions that this process has sent and got an answer to."""
    cached: int = 0
    """Questions that this process found answered in the cache."""
    tokens_in: int = 0
    """Of all answers in the cache, whichever run paid for them."""
    tokens_out: int = 0

    @property
    def cost(self) -> float | None:
        """In the currency of the prices; None without prices."""
        if self.prices is None:
            return None
        return self.prices.cost(self.tokens_in, self.tokens_out)

    def update(self, totals: Totals) -> None:
        """Take over the totals of the cache, to which other processes may have added."""
        self.tokens_in, self.tokens_out = totals.tokens_in, totals.tokens_out

    def exhausted(self) -> RunError | None:
        """Return the error to stop with if no further question may be sent."""
        cost = self.cost
        if self.max_cost is None or cost is None or cost < self.max_cost:
            return None
        return RunError(
            f"{self.asked_by} has cost {money(cost)} of at most {money(self.max_cost)}; raise max_cost to "
            "continue; the answers so far are kept"
        )

    def __str__(self) -> str:
        cost = "" if self.cost is None else f"; cost {money(self.cost)}"
        return (
            f"{self.asked:,} questions asked, {self.cached:,} answered from the cache; in all "
            f"{self.tokens_in:,} tokens in, {self.tokens_out:,} out{cost}"
        )


def money(amount: float) -> str:
    """Write an amount with two decimals, a small one with as many as it needs."""
    return f"{amount:.2f}" if amount >= 1 or amount == 0 else f"{amount:.3g}"
