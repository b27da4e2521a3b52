"""What a run can be told: the configuration of each stage, made of sections.

The defaults are those of the Safe-Rank-GRPO paper's reference implementation, except where those train
next to nothing: LoRA adapters have learning rates of their own (``saferec_core.config.presets``).
Every setting is a key of the YAML file, a flag of the command line (``--learning-rate``, written with
``-`` or ``_``) and a target of ``--set KEY=VALUE``. A setting's name is unique across the sections of
a configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from saferec_core.config.presets import LORA_DEFAULTS, Stage
from saferec_core.config.sections import (
    ComponentChoice,
    DataConfig,
    EvaluationConfig,
    GrpoOptimization,
    LoggingConfig,
    ModelConfig,
    RewardChoice,
    RolloutConfig,
    Section,
    SftOptimization,
)

__all__ = ["RunConfig", "SftConfig", "TrainConfig"]


class RunConfig(Section):
    """What every run has."""

    model: ModelConfig = ModelConfig()
    """The policy."""
    data: DataConfig = DataConfig()
    """Records, catalog and how they are read."""
    oracle: ComponentChoice | None = None
    """What tells violations; without one there are no safety figures."""
    evaluation: EvaluationConfig = EvaluationConfig()
    """How policies are compared."""
    logging: LoggingConfig = LoggingConfig()
    """What is written while the run goes on."""
    num_ranks: int = Field(default=20, ge=1)
    """K, the ranks that are rewarded and evaluated; what a list holds beyond them is not."""
    max_completion_length: int = Field(default=512, ge=1)
    """Tokens after which a completion is cut off, in training and evaluation."""
    seed: int = Field(default=3407, ge=0, lt=2**32)
    """Seed of everything that is drawn."""
    output_dir: Path = Path("runs")
    """Folder that gets a new run folder."""
    run_name: str | None = None
    """Name of the run folder; made from date, command and settings if not given."""
    resume: bool = Field(default=False, exclude=True)
    """Continue the run of these settings from its newest checkpoint, or start it if there is none: the run
    called run_name, else the newest in output_dir with these settings."""
    resume_from: Path | None = Field(default=None, exclude=True)
    """Continue this run folder, or from this one of its checkpoints; settings are those of the run."""
    preset: Literal["safe-rank-grpo"] | None = None
    """Settings to start from instead of the defaults; safe-rank-grpo: the recommended run of the
    Safe-Rank-GRPO paper's reference implementation. A file and flags change what they name."""

    @model_validator(mode="after")
    def _eval_at_fits(self) -> RunConfig:
        if too_deep := [k for k in self.evaluation.eval_at if not 1 <= k <= self.num_ranks]:
            raise ValueError(
                f"evaluation.eval_at must lie in 1..num_ranks = {self.num_ranks}, but holds {too_deep}"
            )
        return self


def _with_lora_defaults(settings: Any, stage: Stage, *, use_lora: bool) -> Any:
    """Complete ``optimization`` with what is the default where adapters are trained."""
    if not use_lora or not isinstance(settings, Mapping):
        return settings
    optimization = settings.get("optimization", {})
    if not isinstance(optimization, Mapping):
        return settings
    return {**settings, "optimization": {**LORA_DEFAULTS[stage], **optimization}}


def _uses_lora(settings: Any) -> bool:
    """Report whether unchecked settings of a run train adapters."""
    model = settings.get("model") if isinstance(settings, Mapping) else None
    if isinstance(model, ModelConfig):
        return model.use_lora
    return isinstance(model, Mapping) and str(model.get("use_lora", "")).lower() in _TRUE


_TRUE = {"true", "1", "yes", "on", "y", "t"}
"""What pydantic reads as true."""


class SftConfig(RunConfig):
    """Safe SFT: imitation of lists that hold nothing a user must not be shown."""

    optimization: SftOptimization = SftOptimization()
    """How the weights are moved."""
    max_length: int = Field(default=1024, ge=16)
    """Longest prompt and completion together, in tokens; longer samples lose their oldest turns, and
    are left out and counted if that is not enough."""
    per_device_eval_batch_size: int = Field(default=12, ge=1)
    """Sequences per forward pass and process when the validation loss is computed."""
    eval_strategy: Literal["no", "steps", "epoch"] = "steps"
    """When the validation loss is computed."""
    eval_steps: int = Field(default=100, ge=1)
    """Optimizer steps between two computations of the validation loss."""
    select: str | None = None
    """Rule that chooses the checkpoint to keep, by the validation records, such as "recall@10 subject to
    sensitivity_ratio@10<=0.02"; None: the highest Recall@10, else Recall at the largest K evaluated."""

    @model_validator(mode="before")
    @classmethod
    def _defaults_by_regime(cls, settings: Any) -> Any:
        return _with_lora_defaults(settings, "sft", use_lora=_uses_lora(settings))


class TrainConfig(RunConfig):
    """Safe-Rank-GRPO."""

    sft_checkpoint: str | None = None
    """The SFT policy to start from: a checkpoint or run folder, or a step of the last SFT run."""
    sft: SftConfig | None = None
    """Safe SFT to do first where no sft_checkpoint is named; model and data are those of the run."""
    rewards: dict[str, RewardChoice] = Field(
        default={
            "relevance": RewardChoice(weight=1.0),
            "safety": RewardChoice(weight=1.0),
            "count": RewardChoice(weight=1.0),
        },
        min_length=1,
    )
    """Reward functions by name, in order."""
    reward_func: Literal["exp_inf", "log_decay"] = "exp_inf"
    """Variant of every reward that has one: each rank by itself, or discounted as in the DCG."""
    normalizer: ComponentChoice = ComponentChoice(name="grpo")
    """What turns rewards into advantages."""
    rollout: RolloutConfig = RolloutConfig()
    """How completions are sampled."""
    optimization: GrpoOptimization = GrpoOptimization()
    """How the weights are moved."""
    kl_beta: float = Field(default=1e-3, ge=0)
    """Weight of the KL from the reference policy."""
    epsilon: float = Field(default=0.2, gt=0, lt=1)
    """Clip range of the importance ratio: 1 - epsilon .. 1 + epsilon."""
    num_iterations: int = Field(default=1, ge=1)
    """How often each generation batch is trained on."""
    steps_per_generation: int | None = Field(default=None, ge=1)
    """Forward passes that share one generation batch; None: those of one optimizer step."""
    rank_weighting: Literal["ranks", "tokens"] = "ranks"
    """What weighs equally in the loss: every rank of a completion (the Rank-GRPO paper), or every token of
    the generation batch (the Safe-Rank-GRPO paper's reference implementation)."""
    rollout_steps: int = Field(default=10, ge=1)
    """Optimizer steps between two generation batches that are kept in rollouts.jsonl."""
    select: str | None = None
    """Rule that chooses the checkpoint to keep, by the validation records, such as "recall@10 subject to
    sensitivity_ratio@10<=0.02"; None: the last state of the training."""

    @model_validator(mode="before")
    @classmethod
    def _defaults_by_regime(cls, settings: Any) -> Any:
        use_lora = _uses_lora(settings)
        settings = _with_lora_defaults(settings, "train", use_lora=use_lora)
        if isinstance(settings, Mapping) and isinstance(
            settings.get("sft"), Mapping
        ):  # trains the same model
            sft = _with_lora_defaults(settings["sft"], "sft", use_lora=use_lora)
            settings = {**settings, "sft": sft}
        return settings

    @model_validator(mode="after")
    def _something_is_rewarded(self) -> TrainConfig:
        if not any(choice.weight > 0 for choice in self.rewards.values()):
            raise ValueError("rewards: at least one must have a weight above 0")
        return self
