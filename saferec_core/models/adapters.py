"""The folder of a LoRA adapter, and the model that it was trained on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from saferec_core.errors import RunError
from saferec_core.runs.layout import moved_base

__all__ = ["adapter_settings", "base_of_adapter", "is_adapter", "without_adapters"]

_FILE = "adapter_config.json"


def is_adapter(folder: Path) -> bool:
    """Whether *folder* holds a LoRA adapter instead of a whole model."""
    return (folder / _FILE).is_file()


def without_adapters(model: Any) -> Any:
    """Return the model as transformers knows it, without the wrapper of its adapters if it has any."""
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def adapter_settings(folder: Path) -> Mapping[str, Any]:
    """Return the settings of an adapter.

    Raises:
        RunError: They are damaged.
    """
    path = folder / _FILE
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read: {error}") from error
    if not isinstance(settings, dict) or not isinstance(settings.get("base_model_name_or_path"), str):
        raise RunError(f"{path} does not name the model that the adapter was trained on")
    return settings


def base_of_adapter(folder: Path) -> str:
    """Return the model that an adapter was trained on, also where its run was moved.

    Raises:
        RunError: It no longer exists, or the adapter is damaged.
    """
    base = str(adapter_settings(folder)["base_model_name_or_path"])
    if Path(base).exists():
        return base
    moved = moved_base(folder)
    if moved is None and Path(base).is_absolute():
        raise RunError(f"adapter {folder} was trained on {base}, which no longer exists")
    return base if moved is None else str(moved)
