"""Defaults that depend on other settings, filled into a configuration before it is checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from saferec_core.config.presets import LORA_DEFAULTS, Stage

__all__ = ["CUTOFFS", "with_cutoffs", "with_lora_defaults"]

CUTOFFS = (5, 10)
"""Default cutoffs of the evaluation."""

_TRUE = {"true", "1", "yes", "on", "y", "t"}
"""What pydantic reads as true."""


def with_cutoffs(settings: Any) -> Any:
    """Keep the default cutoffs within K, so that lowering K alone is enough.

    Settings that are not a mapping come back as they are, to be refused by the check.
    """
    if not isinstance(settings, Mapping):
        return settings
    ranks = str(settings.get("num_ranks", ""))
    if not ranks.isdecimal() or int(ranks) >= max(CUTOFFS):
        return settings
    cutoffs = [k for k in CUTOFFS if k <= int(ranks)] or [int(ranks)]
    changed = {**settings, "evaluation": _completed(settings.get("evaluation", {}), {"eval_at": cutoffs})}
    if isinstance(sft := settings.get("sft"), Mapping):
        evaluation = _completed(sft.get("evaluation", {}), {"eval_at": cutoffs})
        changed["sft"] = {**sft, "evaluation": evaluation}
    return changed


def with_lora_defaults(settings: Any, stage: Stage) -> Any:
    """Complete ``optimization`` with the defaults for adapters, where adapters are trained.

    The Safe SFT stage within a run trains the same model and is completed as well.
    """
    if not isinstance(settings, Mapping) or not _uses_lora(settings.get("model")):
        return settings
    changed = {**settings, "optimization": _completed(settings.get("optimization", {}), LORA_DEFAULTS[stage])}
    if isinstance(sft := settings.get("sft"), Mapping):
        optimization = _completed(sft.get("optimization", {}), LORA_DEFAULTS["sft"])
        changed["sft"] = {**sft, "optimization": optimization}
    return changed


def _uses_lora(model: Any) -> bool:
    """Tell whether the settings of a model, checked or not, train adapters."""
    if isinstance(model, Mapping):
        return str(model.get("use_lora", "")).lower() in _TRUE
    return bool(getattr(model, "use_lora", False))


def _completed(section: Any, defaults: Mapping[str, Any]) -> Any:
    return {**defaults, **section} if isinstance(section, Mapping) else section
