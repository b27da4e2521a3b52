"""Weights in four bits (nf4, Dettmers et al., "QLoRA", arXiv 2305.14314), frozen under LoRA adapters."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import BitsAndBytesConfig

__all__ = ["four_bit_settings", "keep_trainable"]


def four_bit_settings() -> BitsAndBytesConfig:
    """Return how weights are stored, and the type that they are unpacked to when they are used."""
    import torch
    from transformers import BitsAndBytesConfig  # imports torch

    has_bfloat16 = torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16 if has_bfloat16 else torch.float32,
    )


def keep_trainable(model: Any) -> None:
    """Keep four-bit layers in the form that gradients can pass, once a model is loaded.

    On processors with AVX512-BF16, bitsandbytes repacks a layer in its first forward pass outside of training
    and never unpacks it again, so that training fails after an evaluation.
    """
    layer = import_module("bitsandbytes.nn").Linear4bit  # only where weights are in four bits

    for module in model.modules():
        if isinstance(module, layer):
            module.support_avx512bf16_for_cpu = False
