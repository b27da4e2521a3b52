"""Attention over a packed row: a completion sees its prompt and itself, and no sibling.

Registered with transformers under ``SHARED_PREFIX``, so that every model that takes its attention from
there can use it: without a packed row it is transformers' ``sdpa``, with one (passed as the argument
``packed_groups`` of the model's forward) it computes two exact attentions instead of a masked one over the
whole row: that of the prompt, and that of its completions over the prompt's keys and their own.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.attention.bias import causal_lower_right
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, AttentionMaskInterface
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from saferec_core.models.shared_prefix.packing import PackedGroups, PromptGroup

varlen_attn: Any
try:
    from torch.nn.attention.varlen import varlen_attn
except ImportError:  # torch before 2.10
    varlen_attn = None

__all__ = ["SHARED_PREFIX", "CannotShareError", "register_attention", "unread_mask"]

SHARED_PREFIX = "saferec_shared_prefix"
"""Name of the attention implementation."""

_UNKNOWN = ("sliding_window", "softcap", "s_aux", "position_bias", "cache")
"""Arguments of attention functions that change what is computed, and that are not supported here."""


class CannotShareError(RuntimeError):
    """A layer asks for something that the attention over a packed row does not compute."""


def register_attention() -> None:
    """Offer the attention under ``SHARED_PREFIX``; its masks are those of ``sdpa``."""
    AttentionInterface.register(SHARED_PREFIX, shared_prefix_attention)
    AttentionMaskInterface.register(SHARED_PREFIX, ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])


def unread_mask(device: torch.device) -> Tensor:
    """Return a mask to pass to the model along with a packed row.

    Being of four dimensions it keeps transformers from building one of T x T elements; nothing reads it.
    """
    return torch.ones(1, 1, 1, 1, dtype=torch.bool, device=device)


def shared_prefix_attention(
    module: torch.nn.Module,
    query: Float[Tensor, "B H T D"],
    key: Float[Tensor, "B J T D"],
    value: Float[Tensor, "B J T D"],
    attention_mask: Tensor | None,
    *,
    packed_groups: PackedGroups | None = None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **options: Any,
) -> tuple[Float[Tensor, "B T H D"], None]:
    """Compute the attention of a packed row, or ``sdpa`` where there is none.

    Args:
        module: The attention layer.
        query: Queries; B is 1 for a packed row.
        key: Keys; J may be smaller than H (grouped queries).
        value: Values.
        attention_mask: Read by ``sdpa`` only.
        packed_groups: How the row is packed; None: it is not.
        scaling: Factor of the scores; None: 1 / sqrt(D).
        dropout: Probability that a weight is dropped; must be 0 for a packed row.
        options: Whatever else the model passes.

    Raises:
        CannotShareError: The layer asks for what is not supported.
    """
    if packed_groups is None:
        if attention_mask is not None and attention_mask.shape[-1] < key.shape[2]:  # see `unread_mask`
            raise CannotShareError(f"{type(module).__name__} is not given what its model is called with")
        sdpa = ALL_ATTENTION_FUNCTIONS["sdpa"]
        output: tuple[Tensor, None] = sdpa(
            module, query, key, value, attention_mask, scaling=scaling, dropout=dropout, **options
        )
        return output
    asked = [name for name in _UNKNOWN if options.get(name) is not None] + ["dropout"] * (dropout > 0)
    if asked:
        raise CannotShareError(f"{type(module).__name__} uses {', '.join(asked)}")
    device = query.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else value.dtype
    in_segments = device == "cuda" and _takes_segments(query.shape[-1], dtype)
    attend = _by_segment if in_segments else _by_group
    queries, keys, values = (tensor[0].transpose(0, 1).to(dtype) for tensor in (query, key, value))
    return attend(queries, keys, values, packed_groups, scaling)[None], None


def _takes_segments(width: int, dtype: torch.dtype) -> bool:
    """Return whether the kernel for sequences of different lengths takes heads of *width* elements."""
    return (
        varlen_attn is not None
        and dtype in (torch.bfloat16, torch.float16)
        and width % 8 == 0
        and width <= 256
    )


def _by_segment(
    query: Float[Tensor, "T H D"],
    key: Float[Tensor, "T J D"],
    value: Float[Tensor, "T J D"],
    packed: PackedGroups,
    scaling: float | None,
) -> Float[Tensor, "T H D"]:
    """Compute everything in one call of the kernel for sequences of different lengths (CUDA)."""
    segments = packed.segments
    gather: Any = _Gather.apply
    keys, values = gather(torch.stack([key, value]), segments.keys)  # (U, J, D) each
    grouped = {"enable_gqa": True} if "enable_gqa" in inspect.signature(varlen_attn).parameters else {}
    attended: Tensor = varlen_attn(
        query.contiguous(),
        keys,
        values,
        segments.query_starts,
        segments.key_starts,
        segments.longest_query,
        segments.longest_key,
        scale=scaling,
        window_size=(-1, 0),  # causal; queries are the last of their keys
        **grouped,
    )
    return attended


class _Gather(torch.autograd.Function):
    """Keys and values by index, the gradients of what is taken several times being added up in float32."""

    @staticmethod
    def forward(ctx: Any, both: Float[Tensor, "2 T J D"], index: Int[Tensor, " U"]) -> Tensor:
        ctx.save_for_backward(index)
        ctx.tokens = both.shape[1]
        return both.index_select(1, index)

    @staticmethod
    def backward(ctx: Any, gradient: Float[Tensor, "2 U J D"]) -> tuple[Tensor, None]:
        (index,) = ctx.saved_tensors
        shape = (2, ctx.tokens, *gradient.shape[2:])
        total = gradient.new_zeros(shape, dtype=torch.float32)
        return total.index_add_(1, index, gradient.float()).to(gradient.dtype), None


def _by_group(
    query: Float[Tensor, "T H D"],
    key: Float[Tensor, "T J D"],
    value: Float[Tensor, "T J D"],
    packed: PackedGroups,
    scaling: float | None,
) -> Float[Tensor, "T H D"]:
    """Compute group by group, with completions padded to the longest of their group."""
    parts = [
        part
        for group, slots in zip(packed.groups, packed.slots, strict=True)
        for part in _group(query, key, value, group, slots, scaling)
    ]
    return torch.cat(parts)


def _group(
    query: Tensor, key: Tensor, value: Tensor, group: PromptGroup, slots: Tensor, scaling: float | None
) -> list[Float[Tensor, "_ H D"]]:
    """Attend within one prompt, then from its completions."""
    own = slice(group.start + group.prefix, group.stop)
    siblings, longest = len(group.completions), max(group.completions)
    grouped = query.shape[1] != key.shape[1]

    def padded(tensor: Tensor) -> Tensor:
        """Lay the completions out as (siblings, heads, longest, D)."""
        block = tensor.new_zeros(siblings * longest, *tensor.shape[1:]).index_copy(0, slots, tensor[own])
        return block.view(siblings, longest, *tensor.shape[1:]).transpose(1, 2)

    keys, values = padded(key), padded(value)
    parts = []
    if group.prefix:
        prefix = slice(group.start, group.start + group.prefix)
        own_query, *shared = (
            tensor[prefix].transpose(0, 1)[None] for tensor in (query, key, value)
        )  # (1, heads, P, D)
        attended = scaled_dot_product_attention(
            own_query, shared[0], shared[1], is_causal=True, scale=scaling, enable_gqa=grouped
        )
        parts.append(attended[0].transpose(0, 1))
        keys, values = (
            torch.cat([prompt.expand(siblings, -1, -1, -1), completion], dim=2)
            for prompt, completion in zip(shared, (keys, values), strict=True)
        )
    attended = scaled_dot_product_attention(
        padded(query),
        keys,
        values,
        attn_mask=causal_lower_right(longest, group.prefix + longest),
        scale=scaling,
        enable_gqa=grouped,
    )
    parts.append(attended.transpose(1, 2).flatten(0, 1).index_select(0, slots))
    return parts
