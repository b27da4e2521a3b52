"""Optimizers by name: the package that each needs, and the one that suits this machine."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import NamedTuple, TypeVar

from saferec_core.config.schema import SftConfig, TrainConfig
from saferec_core.errors import near_misses

__all__ = ["OptimizerChoice", "choose_optimizer", "optimizer_problem", "settled"]

ConfigT = TypeVar("ConfigT", SftConfig, TrainConfig)

_NEEDS_NOTHING = ("adafactor", "adagrad", "adamw_torch", "adamw_torch_fused", "rmsprop", "sgd")
_PACKAGES: Mapping[str, tuple[str, ...]] = {
    "bitsandbytes": (
        "adamw_8bit",
        "adamw_bnb_8bit",
        "ademamix",
        "ademamix_8bit",
        "lion_32bit",
        "lion_8bit",
        "paged_adamw_32bit",
        "paged_adamw_8bit",
        "paged_ademamix_32bit",
        "paged_ademamix_8bit",
        "paged_lion_32bit",
        "paged_lion_8bit",
        "rmsprop_bnb",
        "rmsprop_bnb_32bit",
        "rmsprop_bnb_8bit",
    ),
    "torchao": ("adamw_torch_4bit", "adamw_torch_8bit"),
    "schedulefree": ("schedule_free_adamw", "schedule_free_radam", "schedule_free_sgd"),
    "optimi": ("stable_adamw",),
    "grokadamw": ("grokadamw",),
}
"""Importable package -> the names that need it. Others of transformers, such as layer-wise ones, act within
the backward pass, where gradients of several processes and accumulation steps are not yet complete."""
_INSTALL = {"bitsandbytes": "saferec[quant]", "optimi": "torch-optimi"}
"""What pip calls a package, where that is not its name."""


class OptimizerChoice(NamedTuple):
    """An optimizer, and why it was chosen."""

    name: str
    reason: str
    """Empty if it was named by the user."""


def choose_optimizer(name: str, *, has_gpu: bool) -> OptimizerChoice:
    """Return the optimizer that ``auto`` stands for on this machine, or the one that was named.

    ``paged_adamw_8bit`` keeps the state of Adam in a quarter of the memory and lets it leave the GPU,
    which helps only where there is one.
    """
    if name != "auto":
        return OptimizerChoice(name, "")
    if not has_gpu:
        return OptimizerChoice("adamw_torch", "auto: this machine has no GPU")
    if find_spec("bitsandbytes") is None:
        reason = "auto: paged_adamw_8bit would save memory, but bitsandbytes is missing (saferec[quant])"
        return OptimizerChoice("adamw_torch", reason)
    return OptimizerChoice("paged_adamw_8bit", "auto: there are a GPU and bitsandbytes")


def settled(config: ConfigT) -> tuple[ConfigT, str]:
    """Replace ``auto`` by the optimizer that it stands for, and return its name with the reason."""
    import torch  # slow to import

    optimization = config.optimization
    choice = choose_optimizer(optimization.optim, has_gpu=torch.accelerator.is_available())
    explained = f"{choice.name} ({choice.reason})" if choice.reason else choice.name
    changed = optimization.model_copy(update={"optim": choice.name})
    return config.model_copy(update={"optimization": changed}), explained


def optimizer_problem(name: str) -> str:
    """Return why an optimizer cannot be used here, with a remedy; empty if it can."""
    if name == "auto" or name in _NEEDS_NOTHING:
        return ""
    for package, names in _PACKAGES.items():
        if name not in names:
            continue
        if find_spec(package) is not None:
            return ""
        install = _INSTALL.get(package, package)
        return (
            f"optimizer {name!r} needs {package}: install {install}, or choose another with --optim, such as "
            "adamw_torch"
        )
    known = sorted(("auto", *_NEEDS_NOTHING, *(name for names in _PACKAGES.values() for name in names)))
    return f"unknown optimizer {name!r} (--optim).{near_misses(name, known)} Available: {', '.join(known)}."
