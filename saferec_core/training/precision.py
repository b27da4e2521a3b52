"""Whether the weights can move: their data types, and the share of weights that a step moved.

A weight ``w`` that is stored with ``p`` significant bits changes only if an update is larger than about half
the distance to the next number, ``|w| * 2**-p``. Adam's updates are about as large as the learning rate. At a
rate of 1e-6 that moves nearly every weight of a language model in float32 (p = 24) and next to none in
bfloat16 (p = 8), where training then does nothing and says nothing. Trained weights are therefore kept in
float32 unless the user asks for another type, and every run is checked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from saferec_core.config.presets import LORA_DEFAULTS, Stage
from saferec_core.config.schema import SftConfig, TrainConfig
from saferec_core.config.sections import OptimizationConfig, TrainableModelConfig
from saferec_core.errors import ConfigError
from saferec_core.training.rates import ENOUGH, REMEDY, stuck_weights

__all__ = [
    "Moved",
    "UpdateProbe",
    "adapter_rate_advice",
    "check_rate",
    "for_training",
    "gradients_vanish",
    "lost_in_rounding",
    "masters_in_float32",
    "planned_precision",
    "precision_facts",
    "slow_bfloat16",
    "trained",
]

_SAMPLES = 4096
"""Weights of each tensor that are looked at."""


def for_training(model: TrainableModelConfig) -> TrainableModelConfig:
    """Return the settings to load a policy for training with: float32 if its own weights are trained.

    Weights under LoRA adapters stay as they are in the checkpoint.
    """
    moves = model.dtype == "auto" and not model.use_lora
    return model.model_copy(update={"dtype": "float32"}) if moves else model


def trained(model: Any) -> list[torch.nn.Parameter]:
    """Return the parameters of a model that are trained."""
    return [parameter for parameter in model.parameters() if parameter.requires_grad]


def masters_in_float32(model: Any, config: TrainableModelConfig) -> None:
    """Convert trained parameters to float32, unless the user has chosen a type for full-weight training.

    Adapters are always trained in float32: they are small, and ``dtype`` is that of the weights below.
    """
    if config.dtype == "auto" or config.use_lora:
        for parameter in trained(model):
            parameter.data = parameter.data.float()


def check_rate(parameters: Iterable[Tensor], optimization: OptimizationConfig) -> None:
    """Refuse a learning rate that cannot move what is trained.

    Raises:
        ConfigError: Adding the rate to a weight gives the same weight, for more than half of them.
    """
    rate = optimization.learning_rate
    seen = stuck = 0
    dtypes: Counter[str] = Counter()
    for parameter in parameters:
        values = _sample(parameter)
        seen += values.numel()
        stuck += int((~_can_move(values, rate)).sum())
        dtypes[_name(values.dtype)] += values.numel()
    if seen:
        [(dtype, _)] = dtypes.most_common(1)
        if problem := stuck_weights(rate, dtype, stuck / seen):
            raise ConfigError(problem)


def adapter_rate_advice(config: SftConfig | TrainConfig) -> str:
    """Warn of a learning rate for full weights where adapters are trained; empty if it suits."""
    rate = config.optimization.learning_rate
    stage: Stage = "sft" if isinstance(config, SftConfig) else "train"
    usual = LORA_DEFAULTS[stage]["learning_rate"]
    if not config.model.use_lora or rate > usual / 5:
        return ""
    return (
        f"A learning rate of {rate:g} suits full weights; LoRA adapters hardly change at it. The default "
        f"for adapters is {usual:g}."
    )


def slow_bfloat16(optimization: OptimizationConfig) -> str:
    """Warn that this processor is slow in bfloat16 where ``bf16`` is set; empty otherwise."""
    if not optimization.bf16 or torch.accelerator.is_available():
        return ""
    if torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported():
        return ""
    return (
        "--bf16 is slower than float32 on this machine, possibly several times: it has no GPU, and its "
        "processor has no bfloat16 instructions (AVX512-BF16 or AMX)."
    )


class Moved(NamedTuple):
    """What an optimizer step did to the weights that had a gradient."""

    with_gradient: int
    """How many had one."""
    movable: int
    """How many of them an update as large as the learning rate would change."""
    moved: int
    """How many of them were changed."""

    @property
    def share(self) -> float:
        """Share of the weights with a gradient that moved; NaN if none had a gradient."""
        return self.moved / self.with_gradient if self.with_gradient else float("nan")

    @property
    def too_few(self) -> bool:
        """Whether the step moved less than it should have."""
        return self.share < ENOUGH

    @property
    def by_rounding(self) -> bool:
        """Whether that is because the learning rate is lost in rounding, and not because gradients vanish."""
        return self.movable < ENOUGH * self.with_gradient


def lost_in_rounding(moved: Moved, rate: float) -> str:
    """Explain that a step moved too few weights because of their type, and what to do."""
    return (
        f"the first optimizer step moved only {moved.share:.1%} of the weights that had a gradient (learning "
        f"rate {rate:g}); a run like this learns next to nothing. {REMEDY.format(setting='--learning-rate')}"
    )


def gradients_vanish(moved: Moved, rate: float, gradient: float, stage: Stage) -> str:
    """Explain that a step moved too few weights because their gradient is next to nothing.

    Args:
        moved: What the step did.
        rate: The learning rate.
        gradient: Typical size of the gradient; NaN if an engine hides it.
        stage: What is trained.
    """
    size = "" if gradient != gradient else f" (typically {gradient:.0e})"
    why = {
        "sft": "The lists to imitate are known by heart already",
        "train": "In Safe-Rank-GRPO that is so where the siblings of every group earn the same: mostly they "
        "are the same list, as after a Safe SFT that went on for too long. Start from an earlier checkpoint "
        "of it (--sft-checkpoint), or sample at a higher --temperature",
    }
    return (
        f"An optimizer step moved only {moved.share:.1%} of the weights that had a gradient. The learning "
        f"rate ({rate:g}) could move them, but the gradient is next to nothing{size}: such a step learns "
        f"nothing. {why[stage]}."
    )


class UpdateProbe:
    """Compares a sample of the weights before and after an optimizer step."""

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        """Watch these parameters, except those whose float32 masters an engine hides."""
        self._parameters = [p for p in parameters if p.dtype == torch.float32 or not _partitioned(p)]
        self._before: list[Tensor] = []
        self._has_gradient: list[Tensor] = []
        self.gradient = float("nan")
        """Typical size of the gradients that were seen last, without zeros; NaN if there were none."""

    @property
    def sees_something(self) -> bool:
        """Whether there are weights to look at."""
        return bool(self._parameters)

    def remember(self) -> None:
        """Keep the weights as they are now."""
        self._before = [_sample(parameter).clone() for parameter in self._parameters]
        self._has_gradient = []

    def see_gradients(self) -> None:
        """Note which weights have a gradient; where an engine hides gradients, all weights of a tensor."""
        self._has_gradient = [
            torch.ones_like(before, dtype=torch.bool)
            if parameter.grad is None and _partitioned(parameter)
            else torch.zeros_like(before, dtype=torch.bool)
            if parameter.grad is None
            else _sample(parameter.grad) != 0
            for parameter, before in zip(self._parameters, self._before, strict=True)
        ]
        seen = [_sample(p.grad).abs().float() for p in self._parameters if p.grad is not None]
        sizes = torch.cat([size[size > 0] for size in seen]) if seen else torch.zeros(0)
        self.gradient = float(sizes.median()) if sizes.numel() else float("nan")

    def moved(self, rate: float) -> Moved:
        """Compare with what was remembered, after a step at a learning rate."""
        with_gradient = movable = changed = 0
        for parameter, before, has_gradient in zip(
            self._parameters, self._before, self._has_gradient, strict=True
        ):
            with_gradient += int(has_gradient.sum())
            movable += int((_can_move(before, rate) & has_gradient).sum())
            changed += int(((_sample(parameter) != before) & has_gradient).sum())
        self._before, self._has_gradient = [], []
        return Moved(with_gradient, movable, changed)


def _can_move(values: Tensor, rate: float) -> Tensor:
    """Return for each value whether it changes when the rate is added or subtracted."""
    return (values + rate != values) | (values - rate != values)


def _partitioned(parameter: Tensor) -> bool:
    """Whether DeepSpeed hides a parameter's gradient."""
    return hasattr(parameter, "ds_id") or hasattr(parameter, "_hp_mapping")


def _sample(tensor: Tensor) -> Tensor:
    """Return up to some thousand values of a tensor, evenly spread; of a sharded one, those that are here."""
    own: Any = getattr(tensor, "ds_tensor", tensor)  # DeepSpeed ZeRO-3
    if hasattr(own, "to_local"):  # FSDP2
        own = own.to_local()
    values: Tensor = own.detach().reshape(-1)
    return values[:: max(1, values.numel() // _SAMPLES)][:_SAMPLES]


def precision_facts(model: Any, optimization: OptimizationConfig, engine: str) -> dict[str, str]:
    """Return the data types of a run: of its weights, of computation, and of the generation engine."""
    counts: dict[bool, Counter[str]] = {True: Counter(), False: Counter()}
    for parameter in model.parameters():
        name = "nf4" if hasattr(parameter, "quant_state") else _name(parameter.dtype)
        counts[parameter.requires_grad][name] += getattr(parameter, "ds_numel", parameter.numel())
    facts = {"trained": _listed(counts[True])}
    if counts[False]:
        facts["frozen"] = _listed(counts[False])
    widest = facts["trained"].split(" ")[0]
    facts["compute"] = "bfloat16 (autocast)" if optimization.bf16 else widest
    facts["engine"] = engine
    return facts


def planned_precision(
    model: TrainableModelConfig, optimization: OptimizationConfig, checkpoint: torch.dtype | None
) -> str:
    """Describe, before anything is loaded, the data types that a run will use.

    Args:
        model: The policy's settings.
        optimization: The optimizer's settings.
        checkpoint: Type of the weights that the run starts from; None if unknown.
    """
    stored = "the checkpoint's type" if checkpoint is None else _name(checkpoint)
    stored = "4 bits (nf4)" if model.load_in_4bit else stored
    loaded = stored if for_training(model).dtype == "auto" else for_training(model).dtype
    weights = f"adapters in float32 on weights in {loaded}" if model.use_lora else f"weights in {loaded}"
    return f"{weights}; computed in {'bfloat16 (autocast)' if optimization.bf16 else loaded}"


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{dtype} ({number / 1e6:.3g} M)" for dtype, number in counts.most_common())


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
