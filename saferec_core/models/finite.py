"""Refuse to sample from logits that are not finite.

Sampling from NaN ends a run on a GPU with a device-side assertion, after which nothing can be read from the
device or saved; the most likely token of NaN is an arbitrary one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from saferec_core.errors import RunError

__all__ = ["only_finite_logits"]


@contextmanager
def only_finite_logits(model: Any) -> Iterator[None]:
    """Check the last token's logits of every forward pass meanwhile; a token at minus infinity is allowed.

    Raises:
        RunError: A logit is NaN or infinite, or no token is left that could be sampled.
    """

    def check(_head: Any, _inputs: Any, logits: Tensor) -> None:
        highest = logits[:, -1].amax(-1)  # NaN if one is NaN
        if not highest.isfinite().all():
            raise RunError(_message(model))

    hook = model.get_output_embeddings().register_forward_hook(check)
    try:
        yield
    finally:
        hook.remove()


def _message(model: Any) -> str:
    weights = [weight for weight in model.parameters() if weight.is_floating_point()]
    broken = sum(not torch.isfinite(weight).all() for weight in weights)
    cause = (
        f"{broken} of its {len(weights)} weight tensors are not finite: continue from a checkpoint before "
        "that, with a smaller --learning-rate"
        if broken
        else "its weights are finite, so that the computation overflowed: compute in float32 (--no-bf16, "
        "--dtype float32)"
    )
    return f"the policy's logits are NaN or infinite, so that nothing can be sampled from them; {cause}"
