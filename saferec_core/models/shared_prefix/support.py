"""Whether a model's completions can be scored over a shared prompt, and if not, why."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from saferec_core.models.shared_prefix.attention import SHARED_PREFIX

__all__ = [
    "active_dropout",
    "reason_against_shared_attention",
    "reason_against_sharing",
    "without_recomputation",
]

_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "moe_num_experts")


def reason_against_sharing(model: Any) -> str | None:
    """Return why *model* (of transformers, without wrappers) is not scored over a shared prompt.

    None if there is none. What can be seen neither in a configuration nor in the logits of one token is left
    to the comparison with plain scoring.
    """
    return reason_against_shared_attention(model) or _unusual_logits(model)


def reason_against_shared_attention(model: Any) -> str | None:
    """Return why the siblings of a prompt cannot attend to one computation of it; None if they can."""
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
    return _unusual_layers(model)


def _unusual_layers(model: Any) -> str | None:
    """Return what makes the layers of a model unfit for the attention over a packed row."""
    config = model.config
    if any(getattr(module, "is_causal", None) is False for module in model.modules()):
        return "tokens attend to those behind them, as in an encoder"
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


@torch.no_grad()
def _unusual_logits(model: Any) -> str | None:
    """Return a reason where logits are not what the language-model head makes of the last hidden states.

    Cohere and Granite scale logits, Gemma 2 caps them, MiniCPM scales hidden states before the head, each by
    a setting of another name. Hence the model itself is asked about one token, with other hidden states in
    place of its own that make a cap show.
    """
    try:
        with without_recomputation(model), _asked_strangely(model) as seen:
            token = torch.zeros(1, 1, dtype=torch.long, device=model.device)
            logits = model(input_ids=token, use_cache=False).logits.float()
    except Exception as error:  # noqa: BLE001 - plain scoring may know how to ask it
        return f"the model cannot be asked about one token ({type(error).__name__}: {error})"
    if "behind" not in seen or not all(value.isfinite().all() for value in (logits, *seen.values())):
        return "its logits cannot be compared with those of its language-model head"
    if "before" in seen and not _are_close(seen["before"], seen["last"]):
        return "hidden states are changed before the language-model head (scaled or projected)"
    if not _are_close(logits, seen["behind"]):
        return "logits are not those of the language-model head alone (scaled or capped)"
    return None


@contextlib.contextmanager
def _asked_strangely(model: Any) -> Iterator[dict[str, Tensor]]:
    """Replace the last hidden states of *model*; note them, and what its head is given and returns."""
    seen: dict[str, Tensor] = {}

    def strange(own: Tensor) -> Tensor:
        # Not a multiple of what came: hidden states of the padding token are 0 in many models.
        return torch.linspace(-100, 100, own.shape[-1]).to(own).expand_as(own)

    def replaced(_body: object, _arguments: object, output: Any) -> Any:
        output.last_hidden_state = seen["last"] = strange(output.last_hidden_state)
        return output

    def given(_head: object, arguments: tuple[Tensor]) -> Tensor | None:
        if "last" in seen:
            seen["before"] = arguments[0]
            return None
        return strange(arguments[0])  # OPT goes round its body to the decoder in it

    def noted(_head: object, _arguments: object, output: Tensor) -> None:
        seen["behind"] = output

    head = model.get_output_embeddings()
    hooks = [
        model.base_model.register_forward_hook(replaced),
        head.register_forward_pre_hook(given),
        head.register_forward_hook(noted),
    ]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


def _are_close(one: Tensor, other: Tensor) -> bool:
    if one.shape != other.shape:
        return False
    one, other = one.float(), other.float()
    return bool((one - other).norm() <= 1e-3 * other.norm())


@contextlib.contextmanager
def without_recomputation(model: torch.nn.Module) -> Iterator[None]:
    """Keep layers from recomputing activations, since torch warns about it where there are no gradients."""
    recomputing: list[Any] = [
        module for module in model.modules() if getattr(module, "gradient_checkpointing", False)
    ]
    for module in recomputing:
        module.gradient_checkpointing = False
    try:
        yield
    finally:
        for module in recomputing:
            module.gradient_checkpointing = True


def active_dropout(model: Any) -> str | None:
    """Return the name of a dropout that is active: it would differ between copies of a prompt."""
    name: str
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Dropout) and module.training and module.p > 0:
            return name
        probability = getattr(module, "attention_dropout", None)  # in Persimmon, a module
        if module.training and isinstance(probability, float) and probability > 0:
            return f"{name}.attention_dropout"
    return None
