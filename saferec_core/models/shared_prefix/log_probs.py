"""Log-probabilities of given tokens, without the logits of a whole batch in memory.

The logits of R tokens over V vocabulary entries are computed in tiles of two megabytes that are
folded into running statistics, as flash attention does with scores. What the backward pass needs is

    d logp(y) / d hidden = (W[y] - sum_v p(v) W[v]) / temperature

which depends on nothing that comes after, so that with a head that is not trained (LoRA) the forward
pass accumulates it along with the statistics, and the backward pass multiplies by one number per token.
A trained head needs the gradient of every log-probability first, so its tiles are computed again.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["token_log_probs"]

TOKENS = 1024
"""Rows of a tile, at most."""
TILE = 1 << 19
"""Logits of a tile: 2 MiB in float32, which a core's cache holds from one operation to the next."""
LEAST = -200.0
"""Distance from the largest logit at which the probability is 0 in float32; so it is beyond."""


def token_log_probs(
    hidden: Float[Tensor, "M D"],
    weight: Float[Tensor, "V D"],
    bias: Float[Tensor, " V"] | None,
    targets: Int[Tensor, " M"],
    temperature: float,
) -> tuple[Float[Tensor, " M"], Float[Tensor, " M"]]:
    """Return the log-probability of each target and the entropy (no gradient), both in float32.

    Args:
        hidden: Hidden states in front of the language-model head.
        weight: The head's weights.
        bias: The head's bias, if it has one.
        targets: The token that follows each hidden state.
        temperature: What logits are divided by.
    """
    # The saved tensors must be those of the precision that tiles are computed in.
    device = hidden.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else hidden.dtype
    frozen = torch.is_grad_enabled() and not (
        weight.requires_grad or (bias is not None and bias.requires_grad)
    )
    apply: Any = _TokenLogProbs.apply
    log_probs, entropy = apply(hidden.to(dtype), weight.to(dtype), bias, targets, temperature, frozen)
    return log_probs, entropy


class _TokenLogProbs(torch.autograd.Function):
    """See the module."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        temperature: float,
        frozen: bool,
    ) -> tuple[Tensor, Tensor]:
        ctx.set_materialize_grads(False)
        rows = len(hidden)
        statistics = hidden.new_empty((3, rows), dtype=torch.float32)  # log Z, logit of the target, entropy
        expected = torch.empty_like(hidden, dtype=torch.float32) if frozen else None  # sum_v p(v) W[v]
        for part in _parts(rows, TOKENS):
            _fold(hidden[part], weight, bias, targets[part], temperature, statistics[:, part], expected, part)
        log_z, target_logit, entropy = statistics
        ctx.temperature, ctx.frozen = temperature, frozen
        if expected is not None:
            direction = weight.index_select(0, targets).float().sub_(expected).div_(temperature)
            ctx.save_for_backward(direction.to(hidden.dtype))
        else:
            ctx.save_for_backward(hidden, weight, bias, targets, log_z)
        ctx.mark_non_differentiable(entropy)
        return target_logit - log_z, entropy

    @staticmethod
    def backward(ctx: Any, gradient: Tensor | None, _: None) -> tuple[Tensor | None, ...]:
        if gradient is None:
            return (None,) * 6
        if ctx.frozen:
            (direction,) = ctx.saved_tensors
            return (direction * gradient[:, None].to(direction.dtype), *(None,) * 5)
        return (*_recomputed(ctx, gradient), None, None, None)


def _fold(
    hidden: Float[Tensor, "R D"],
    weight: Float[Tensor, "V D"],
    bias: Tensor | None,
    targets: Int[Tensor, " R"],
    temperature: float,
    statistics: Float[Tensor, "3 R"],
    expected: Float[Tensor, "M D"] | None,
    part: slice,
) -> None:
    """Compute the statistics of some tokens, and the mean of the head's weights under p if asked for."""
    rows = len(hidden)
    largest = hidden.new_full((rows, 1), -math.inf, dtype=torch.float32)
    total, weighted, target_logit = (torch.zeros_like(largest) for _ in range(3))
    mean = None if expected is None else expected[part].zero_()
    buffer = hidden.new_empty(_tile_shape(hidden, weight), dtype=torch.float32)
    for entries, logits in _logits(hidden, weight, bias, temperature):
        offset = targets[:, None] - entries.start
        inside = (offset >= 0) & (offset < logits.shape[1])
        target_logit = torch.where(
            inside, logits.gather(1, offset.clamp(0, logits.shape[1] - 1)), target_logit
        )
        new = torch.maximum(largest, logits.amax(1, keepdim=True))
        scale = torch.exp(largest - new)
        below = logits.sub_(new).clamp_(min=LEAST)
        powers = torch.exp(below, out=buffer[:, : below.shape[1]])
        total = total * scale
        weighted = weighted * scale + torch.where(total > 0, total * (largest - new), 0.0)
        total += powers.sum(1, keepdim=True)
        weighted += below.mul_(powers).sum(1, keepdim=True)  # sum p (z - new)
        largest = new
        if mean is not None:
            mean.mul_(scale)
            _add_product(mean, powers.to(hidden.dtype), weight[entries])
    statistics[0] = (largest + total.log())[:, 0]
    statistics[1] = target_logit[:, 0]
    statistics[2] = (total.log() - weighted / total)[:, 0]
    if mean is not None:
        mean.div_(total)


def _recomputed(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Compute the tiles again and return the gradients of hidden states, weights and bias."""
    hidden, weight, bias, targets, log_z = ctx.saved_tensors
    to_hidden, to_weight, to_bias = (
        torch.zeros_like(tensor, dtype=torch.float32) if needed and tensor is not None else None
        for tensor, needed in zip((hidden, weight, bias), ctx.needs_input_grad[:3], strict=True)
    )
    for part in _parts(len(hidden), TOKENS):
        scale = (gradient[part] / ctx.temperature)[:, None]
        for entries, logits in _logits(hidden[part], weight, bias, ctx.temperature):
            # d logp(y) / d z(v) = [v = y] - p(v)
            pull = logits.sub_(log_z[part, None]).exp_().mul_(-scale)
            offset = targets[part, None] - entries.start
            inside = (offset >= 0) & (offset < pull.shape[1])
            pull.scatter_add_(1, offset.clamp(0, pull.shape[1] - 1), torch.where(inside, scale, 0.0))
            if to_bias is not None:
                to_bias[entries] += pull.sum(0)
            pull = pull.to(hidden.dtype)
            if to_hidden is not None:
                _add_product(to_hidden[part], pull, weight[entries])
            if to_weight is not None:
                _add_product(to_weight[entries], pull.T, hidden[part])
    return (
        None if to_hidden is None else to_hidden.to(hidden.dtype),
        None if to_weight is None else to_weight.to(weight.dtype),
        None if to_bias is None else to_bias.to(bias.dtype),
    )


def _logits(
    hidden: Float[Tensor, "R D"], weight: Float[Tensor, "V D"], bias: Tensor | None, temperature: float
) -> Iterator[tuple[slice, Float[Tensor, "R W"]]]:
    """Compute the logits of some tokens for a few entries of the vocabulary at a time, in float32.

    The next tile may overwrite the last one.
    """
    buffer = hidden.new_empty(_tile_shape(hidden, weight))
    for entries in _parts(len(weight), buffer.shape[1]):
        tile = buffer[:, : entries.stop - entries.start]
        torch.mm(hidden, weight[entries].T, out=tile)
        if bias is not None:
            tile += bias[entries]
        logits = tile.float()
        yield entries, logits if temperature == 1 else logits.div_(temperature)


def _tile_shape(hidden: Float[Tensor, "R D"], weight: Float[Tensor, "V D"]) -> tuple[int, int]:
    """Return how many tokens and how many entries of the vocabulary a tile has."""
    return len(hidden), min(TILE // len(hidden), len(weight))


def _add_product(total: Tensor, left: Tensor, right: Tensor) -> None:
    """Add *left* @ *right* to a total in float32."""
    if left.dtype == torch.float32:
        total.addmm_(left, right)
    else:
        total += left @ right


def _parts(length: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, length)) for start in range(0, length, size)]
