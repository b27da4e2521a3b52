"""Stop before a loss or gradient that is not finite makes every weight NaN, and name its cause."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from accelerate.utils import reduce
from jaxtyping import Float
from torch import Tensor

from saferec_core.errors import RunError

__all__ = ["check_gradient", "check_loss"]

_PARTS: Mapping[str, str] = {
    "log_probs": "the policy's log-probabilities",
    "sampled_log_probs": "the log-probabilities of the policy that sampled",
    "ref_per_token_logps": "the reference's log-probabilities",
    "importance_sampling_ratio": "the ratio to the vLLM engine's probabilities",
    "advantages": "the advantages",
}
"""What a loss is made of, under the names of TRL's batch or of the trainer."""


def check_loss(loss: Float[Tensor, ""], parts: Mapping[str, Any], step: int) -> None:
    """Refuse a loss that is not finite; all processes together, so that none waits for another.

    Args:
        loss: The loss of a micro-batch.
        parts: What it was computed from.
        step: The optimizer step in hand.

    Raises:
        RunError: It is not finite on some process.
    """
    is_broken = (~torch.isfinite(loss.detach())).float()
    if not float(reduce(is_broken, "sum")):
        return
    raise RunError(
        f"the loss of step {step} is not finite, so the step was not taken: {_cause(parts)}. What helps: a "
        "smaller --learning-rate; --no-bf16"
    )


def check_gradient(model: torch.nn.Module, step: int) -> None:
    """Refuse a gradient that is not finite, while the weights are still those of the last step.

    Raises:
        RunError: It is not finite.
    """
    gradients = {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
    if not gradients or torch.isfinite(torch.nn.utils.get_total_norm(list(gradients.values()))):
        return
    broken = [name for name, gradient in gradients.items() if not torch.isfinite(gradient).all()]
    where = f"in {len(broken)} of {len(gradients)} tensors, such as {broken[0]}" if broken else "in its norm"
    raise RunError(
        f"the gradient of step {step} is not finite, so the step was not taken ({where}). What helps: a "
        "smaller --learning-rate; --no-bf16; a reward or normalizer that returns finite values"
    )


def _cause(parts: Mapping[str, Any]) -> str:
    broken = [
        _PARTS[name]
        for name in _PARTS
        if isinstance(parts.get(name), Tensor) and not torch.isfinite(parts[name]).all()
    ]
    if broken:
        return f"not finite are {', '.join(broken)}"
    reference, log_probs = parts.get("ref_per_token_logps"), parts.get("log_probs")
    if isinstance(reference, Tensor) and isinstance(log_probs, Tensor):
        farthest = float((reference - log_probs.detach()).max())
        return f"a token is exp({farthest:.0f}) times as likely under the reference as under the policy"
    return "another process has values that are not finite"
