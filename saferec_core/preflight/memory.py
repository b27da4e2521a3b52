"""How much memory a run needs for weights and their companions, from the headers of the checkpoint's files.

Activations are left out: they depend on the kernels that a machine has.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from saferec_core.config.schema import SftConfig, TrainConfig
from saferec_core.errors import SaferecError
from saferec_core.preflight.stored_weights import StoredWeight, model_folder, stored_weights
from saferec_core.runs.references import planned_reference
from saferec_core.training.batches import generation_batch_size

__all__ = ["MemoryEstimate", "estimate_memory", "memory_of_machine"]

_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
_FOUR_BITS = 0.5 + 2 / 64  # nf4, and a constant for every 64 weights, itself in about a byte


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes that each process needs, nothing partitioned, activations left out."""

    parts: Mapping[str, int]

    @property
    def total(self) -> int:
        """All parts together."""
        return sum(self.parts.values())


def estimate_memory(config: SftConfig | TrainConfig, optimizer: str, processes: int) -> MemoryEstimate | None:
    """Estimate what a run keeps in memory; None where the model is not a folder with safetensors.

    Args:
        config: The run.
        optimizer: The one that is used, ``auto`` resolved.
        processes: That work together.
    """
    folder = model_folder(config)
    weights = [] if folder is None else stored_weights(folder)
    if folder is None or not weights:
        return None
    model = config.model
    if model.use_lora:
        targets = model.lora_target_modules
        adapted = [
            weight
            for weight in weights
            if weight.is_linear
            and (targets == ["all-linear"] or weight.name.removesuffix(".weight").endswith(tuple(targets)))
        ]
        trained = sum(model.lora_r * sum(weight.shape) for weight in adapted)
        frozen = sum(_frozen_bytes(weight, four_bits=model.load_in_4bit) for weight in weights)
        parts = {"frozen weights": frozen, "adapters": 4 * trained}
        size = 4
    else:
        size = 4 if model.dtype == "auto" else _BYTES[model.dtype]
        trained = sum(weight.number for weight in weights)
        parts = {"weights": size * trained}
    parts["gradients"] = size * trained
    parts["optimizer state"] = int(_state_bytes(optimizer, size) * trained)
    if isinstance(config, TrainConfig):
        if config.kl_beta > 0 and (not model.use_lora or _has_separate_reference(config)):
            parts["reference policy"] = parts["frozen weights" if model.use_lora else "weights"]
        if not config.rollout.use_vllm and (per_token := _cache_per_token(folder)):
            completions = generation_batch_size(config, processes) // processes
            value = 2 if config.optimization.bf16 else 4
            tokens = config.max_completion_length + (config.data.max_prompt_length or 0)
            parts["KV cache of a generation batch"] = completions * tokens * per_token * value
    return MemoryEstimate(parts)


def memory_of_machine(*, has_gpu: bool) -> tuple[str, int]:
    """Return what a process has, and how many bytes: of the smallest GPU, or of the machine."""
    if has_gpu:
        query = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
        try:
            answer = subprocess.run(query, capture_output=True, text=True, check=True, timeout=10)  # noqa: S603
            return "GPU", min(map(int, answer.stdout.split())) << 20
        except (OSError, ValueError, subprocess.SubprocessError):
            pass  # another kind of GPU
    return "machine", os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _has_separate_reference(config: TrainConfig) -> bool:
    """Whether the reference is another policy than the one beneath the adapters."""
    try:
        return planned_reference(config) is not None
    except SaferecError:
        return False  # named among the problems


def _frozen_bytes(weight: StoredWeight, *, four_bits: bool) -> int:
    return int(weight.number * _FOUR_BITS) if four_bits and weight.is_linear else weight.size


def _state_bytes(optimizer: str, size: int) -> float:
    """Return the bytes that an optimizer keeps for each trained weight."""
    kept = 1 if "lion" in optimizer or "rmsprop" in optimizer else 2  # moments
    if optimizer in {"sgd", "adafactor"}:  # none, or a row and a column for each matrix
        return 0
    if optimizer.endswith("4bit"):
        return kept / 2
    return kept if "8bit" in optimizer else kept * size


def _cache_per_token(folder: Path) -> int:
    """Return how many numbers a token leaves in the KV cache; 0 if the configuration does not say."""
    try:
        facts: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        heads = int(facts["num_attention_heads"])
        width = int(facts.get("head_dim") or facts["hidden_size"] // heads)
        return 2 * int(facts["num_hidden_layers"]) * int(facts.get("num_key_value_heads") or heads) * width
    except (OSError, ValueError, KeyError, TypeError):
        return 0
