"""What this machine has, as far as that can be told without torch."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["has_gpu"]


def has_gpu() -> bool:
    """Tell whether the machine has a GPU that is not hidden from this process, without asking torch."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0") in {"", "-1"}:
        return False
    return any(Path(device).exists() for device in ("/dev/nvidiactl", "/dev/kfd", "/dev/dri/renderD128"))
