"""Settings that are valid by themselves but cannot work together, or not on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec

from saferec_core.config.schema import SftConfig, TrainConfig

__all__ = ["impossible_combinations"]


def impossible_combinations(config: SftConfig | TrainConfig, *, has_gpu: bool) -> Iterator[str]:
    """Yield a sentence for each, with what to do."""
    model = config.model
    if model.load_in_4bit:
        if not model.use_lora:
            yield "--load-in-4bit freezes all weights, so nothing would be trained; add --use-lora"
        if str(model.model).endswith(".gguf"):
            yield "--load-in-4bit cannot be used with a GGUF file, whose weights are unpacked; leave it out"
        if os.environ.get("ACCELERATE_DEEPSPEED_ZERO_STAGE") == "3":
            yield "--load-in-4bit does not work with DeepSpeed ZeRO-3, which cannot partition packed weights"
    if not isinstance(config, TrainConfig):
        return
    rollout = config.rollout
    if rollout.use_vllm and model.load_in_4bit and find_spec("vllm_bnb_plugin") is None:
        yield (
            "--use-vllm cannot serve the weights of --load-in-4bit (vLLM has no bitsandbytes loader without "
            "vllm-bnb-plugin); leave one of the two out"
        )
    if rollout.use_vllm and rollout.compile_decoding:
        yield "--compile-decoding is for generation by transformers; leave it out with --use-vllm"
    elif rollout.compile_decoding and not has_gpu:
        yield "--compile-decoding needs a GPU; leave it out"
