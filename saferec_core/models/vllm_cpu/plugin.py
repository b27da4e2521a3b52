"""A general plugin of vLLM, which loads it in each of its processes before a model is loaded.

It is registered under the entry point ``vllm.general_plugins`` and does nothing where there is a GPU, except
for naming the transfer engine. ``VLLM_PLUGINS=""`` switches it off.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["register"]


def register() -> None:
    """Offer weight transfer by gloo and, on a CPU, keep weights in the form that can be updated."""
    factory: Any = import_module("vllm.distributed.weight_transfer.factory").WeightTransferEngineFactory
    if "gloo" not in factory._registry:
        factory.register_engine("gloo", "saferec_core.models.vllm_cpu.transfer", "GlooWeightTransferEngine")
    if import_module("vllm.platforms").current_platform.is_cpu():
        _keep_linear_weights_plain(import_module("vllm.model_executor.layers.utils"))


def _keep_linear_weights_plain(layers: Any) -> None:
    """Have linear layers compute with torch and their own weights.

    On processors with AVX512 vLLM repacks each weight for oneDNN when it is loaded and drops the original, so
    that the first update fails ("'Parameter' object has no attribute 'weight_loader'"). vLLM's own way to
    reload weights does not help: it leaves an output head that is tied to the embeddings as it was.
    """
    repacking = layers.dispatch_cpu_unquantized_gemm
    if getattr(repacking, "keeps_weights", False):
        return

    def plain(layer: Any, remove_weight: bool) -> Any:
        import torch

        if layer.weight.is_meta or layer.weight.ndim != 2:
            return repacking(layer, remove_weight)
        layer.cpu_linear = torch.nn.functional.linear
        return None

    plain.keeps_weights = True  # type: ignore[attr-defined]
    layers.dispatch_cpu_unquantized_gemm = plain
