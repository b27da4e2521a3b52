"""Whether a model's completions can be scored over a shared prompt, and if not, why."""

from __future__ import annotations

from typing import Any

import torch

from saferec_core.models.shared_prefix.attention import SHARED_PREFIX

__all__ = ["active_dropout", "reason_against_sharing"]

_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")


def reason_against_sharing(model: Any) -> str | None:
    """Return why *model* (of transformers, without wrappers) is not scored over a shared prompt.

    None if there is none. What cannot be read off a configuration is left to the comparison with
    plain scoring.
    """
    config = model.config
    if config.get_text_config() is not config or getattr(config, "vision_config", None) is not None:
        return "the model reads more than text"
    if getattr(config, "is_encoder_decoder", False):
        return "the model has an encoder"
    if not getattr(model, "_supports_attention_backend", False):
        return f"{type(model).__name__} does not take its attention from transformers' attention interface"
    if config._attn_implementation not in ("sdpa", SHARED_PREFIX):
        return f"attn_implementation is {config._attn_implementation}; sharing needs sdpa"
    if type(model.get_output_embeddings()) is not torch.nn.Linear:  # such as one with an adapter
        return "the language-model head is not a plain linear layer"
    return _unusual_layers(config)


def _unusual_layers(config: Any) -> str | None:
    """Return what makes the layers of a model unfit for the attention over a packed row."""
    layers = set(getattr(config, "layer_types", None) or []) - {"full_attention"}
    if getattr(config, "sliding_window", None) is not None or "sliding_attention" in layers:
        return "the model uses sliding-window attention"
    if layers:
        return f"the model has layers other than full attention ({', '.join(sorted(layers))})"
    if getattr(config, "attn_logit_softcapping", None) is not None:
        return "the model uses soft-capped attention"
    if any(getattr(config, name, None) for name in _EXPERTS):
        return "the model is a mixture of experts"
    return None


def active_dropout(model: Any) -> str | None:
    """Return the name of a dropout that is active: it would differ between copies of a prompt."""
    name: str
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Dropout) and module.training and module.p > 0:
            return name
        if module.training and (getattr(module, "attention_dropout", 0.0) or 0.0) > 0:
            return f"{name}.attention_dropout"
    return None
