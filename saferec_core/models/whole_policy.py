"""Policies to generate with: all their weights on this process, also while others train on parts of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from saferec_core.config.sections import ModelConfig
from saferec_core.models.loading import Policy, load_policy

__all__ = ["on_accelerator", "weights_hash", "whole_policy"]


def whole_policy(reference: str, config: ModelConfig) -> Policy:
    """Load a policy to generate with: whole, on this process alone, also under DeepSpeed ZeRO-3."""
    with _not_partitioned():
        return on_accelerator(load_policy(reference, config))


@contextmanager
def _not_partitioned() -> Iterator[None]:
    """Have transformers load whole models meanwhile: under ZeRO-3 it would wait for the other processes."""
    from transformers.integrations import deepspeed  # imports slowly

    active = deepspeed._hf_deepspeed_config_weak_ref
    deepspeed._hf_deepspeed_config_weak_ref = None
    try:
        yield
    finally:
        deepspeed._hf_deepspeed_config_weak_ref = active


def on_accelerator(policy: Policy) -> Policy:
    """Move a policy that was read from disk to the GPU, if there is one."""
    if torch.accelerator.is_available():
        model: Any = policy.model
        model.to(torch.accelerator.current_accelerator())
    return policy


def weights_hash(policy: Policy) -> str:
    """Return a hash of all that a policy's completions depend on: weights, adapters, end tokens."""
    from xxhash import xxh3_128  # cryptography is not needed, and would take seconds

    digest = xxh3_128(repr(sorted(policy.end_ids)).encode())
    weights: Any = policy.model.state_dict()
    for name, tensor in weights.items():
        whole = tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor  # FSDP: of all processes
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(whole.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return str(digest.hexdigest())
