"""How vLLM is set up without a GPU, where its own defaults are those of a machine that does nothing else."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

import torch

__all__ = ["engine_settings"]

_MOST = 4 << 30
_SHARE = 4


def engine_settings() -> dict[str, Any]:
    """Return arguments of vLLM's engine; none where there is a GPU.

    For keys and values vLLM takes a fraction of the machine's memory, nine tenths by default, and refuses to
    start where less is free. Of what is free it gets a quarter here, 4 GiB at most, unless
    ``VLLM_CPU_KVCACHE_SPACE`` (GiB) says how much.
    """
    if torch.cuda.is_available() or os.environ.get("VLLM_CPU_KVCACHE_SPACE"):
        return {}
    psutil: Any = import_module("psutil")  # comes with accelerate, without types
    return {"kv_cache_memory_bytes": min(_MOST, psutil.virtual_memory().available // _SHARE)}
