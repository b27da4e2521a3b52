"""How much a rank counts."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["Variant", "log_discount", "rank_discount"]

Variant = Literal["exp_inf", "log_decay"]
"""``exp_inf``: every rank counts by itself and alike. ``log_decay``: by the discount of the DCG."""


def log_discount(num_ranks: int) -> Float[Tensor, " K"]:
    """Return ``d[k] = 1 / log2(k + 2)``, so that ``d[0] = 1``."""
    return 1.0 / torch.log2(torch.arange(num_ranks) + 2.0)


def rank_discount(variant: Variant, num_ranks: int) -> Float[Tensor, " K"]:
    """Return the discount that a *variant* applies to each rank."""
    return log_discount(num_ranks) if variant == "log_decay" else torch.ones(num_ranks)
