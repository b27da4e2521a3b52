"""Run configurations: one for each command that trains or evaluates, made of sections.

The defaults are those of the Safe-Rank-GRPO paper's reference implementation, except where those train
next to nothing: LoRA adapters have learning rates of their own (`saferec_core.config.presets`).
Every setting is a key of the YAML file, a flag of the command line (``--learning-rate``, written with
``-`` or ``_``) and a target of ``--set KEY=VALUE``. A setting's name is unique across the sections of
a configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from saferec_core.config.adaptive import with_cutoffs, with_lora_defaults
from saferec_core.config.choices import ComponentChoice, OracleChoice, RewardChoice, Section
from saferec_core.config.domain import with_domain
from saferec_core.config.generation import EndpointConfig, EngineConfig, RolloutConfig
from saferec_core.config.misfits import misfit
from saferec_core.config.sections import (
    AlarmsConfig,
    DataConfig,
    EvaluationConfig,
    GrpoOptimization,
    LimitsConfig,
    LoggingConfig,
    ModelConfig,
    PromptsConfig,
    SftOptimization,
    StandaloneEvaluation,
    TrainableModelConfig,
    WishesConfig,
)
from saferec_core.config.value_types import MaxTime, Occasion, RunName

__all__ = [
    "EvalConfig",
    "RecommendConfig",
    "RunConfig",
    "SftConfig",
    "SftStage",
    "StageConfig",
    "TrainConfig",
]


class RunConfig(Section):
    """Settings that training and evaluation share."""

    model: ModelConfig = ModelConfig()
    """The policy."""
    data: DataConfig = DataConfig()
    """Records, catalog and how they are read."""
    oracle: OracleChoice | None = None
    """Oracle that judges violations; without one there are no safety metrics."""
    evaluation: EvaluationConfig = EvaluationConfig()
    """Evaluation on held-out prompts."""
    num_ranks: int = Field(default=20, ge=1)
    """K: ranks that are rewarded and evaluated; titles beyond them are ignored."""
    max_completion_length: int = Field(default=512, ge=1)
    """Maximum length of a completion, in tokens."""
    seed: int = Field(default=3407, ge=0, lt=2**32)
    """Random seed of the whole run."""
    output_dir: Path = Path("runs")
    """Folder in which new run folders are created."""

    @model_validator(mode="before")
    @classmethod
    def _parser_of_the_domain(cls, settings: Any) -> Any:
        if not isinstance(settings, Mapping) or "data" not in settings:
            return settings
        return {**settings, "data": with_domain(settings["data"], "parser")}

    @model_validator(mode="before")
    @classmethod
    def _default_cutoffs(cls, settings: Any) -> Any:
        return with_cutoffs(settings)

    @model_validator(mode="after")
    def _cutoffs_fit(self) -> Self:
        _check_cutoffs("evaluation", self.evaluation, self.num_ranks)
        return self


def _check_cutoffs(path: str, evaluation: EvaluationConfig, ranks: int) -> None:
    if outside := [k for k in evaluation.eval_at if not 1 <= k <= ranks]:
        raise misfit(
            f"{path}.eval_at",
            f"{path}.eval_at must lie in 1..num_ranks = {ranks}, but holds {outside}; change --eval-at "
            "or --num-ranks",
        )


class EvalConfig(RunConfig):
    """Evaluation of a stored policy (``saferec eval``)."""

    evaluation: StandaloneEvaluation = StandaloneEvaluation()
    """Evaluation on held-out prompts."""
    engine: EngineConfig = EngineConfig()
    """The engine of eval_engine = vllm."""
    endpoint: EndpointConfig = EndpointConfig()
    """The endpoint that eval_engine = openai asks."""
    prompts: PromptsConfig = PromptsConfig()
    """How the policy is asked."""


class RecommendConfig(RunConfig):
    """Lists of a stored policy (``saferec recommend``)."""

    num_ranks: int = Field(default=10, ge=1)
    """Titles of a list, k; by default as many as the lists of the policy's run are judged by, else 10."""
    prompts: WishesConfig = WishesConfig()
    """How the policy is asked."""


class StageConfig(RunConfig):
    """Settings that both training stages share."""

    model: TrainableModelConfig = TrainableModelConfig()
    """The policy and what is trained of it."""
    logging: LoggingConfig = LoggingConfig()
    """Logs and checkpoints."""
    run_name: RunName | None = None
    """Name of the run folder; by default made of date, command and settings."""
    processes: int | None = Field(default=None, ge=1)
    """Number of processes that the run is meant for; any other number is refused. By default, as many as
    the launcher starts."""
    process_timeout: MaxTime = "2h"
    """How long processes wait for one another before the run fails, such as 30m or 2h."""
    resume: bool = Field(default=False, exclude=True)
    """Continue the run with these settings from its newest checkpoint, or start it if there is none: the run
    called run_name, or the newest in output_dir with these settings."""
    resume_from: Path | None = Field(default=None, exclude=True)
    """Continue this run folder, or from this one of its checkpoints; settings are those of the run."""
    preset: Literal["safe-rank-grpo"] | None = None
    """Settings to start from instead of the defaults: safe-rank-grpo is the recommended run of the
    Safe-Rank-GRPO paper's reference implementation. A file and flags override it."""


class SftSettings(Section):
    """Settings of Safe SFT alone."""

    optimization: SftOptimization = SftOptimization()
    """Optimizer and schedule."""
    max_length: int = Field(default=1024, ge=16)
    """Maximum length of prompt and completion, in tokens; longer samples lose their oldest turns, and
    are dropped and counted if that is not enough."""
    group_by_length: bool = False
    """Put samples of about the same length into a batch, so that little is computed for padding."""
    per_device_eval_batch_size: int = Field(default=12, ge=1)
    """Sequences per forward pass and process when computing the validation loss."""
    eval_strategy: Occasion = "steps"
    """When to compute the validation loss."""
    eval_steps: int = Field(default=100, ge=1)
    """Optimizer steps between two computations of the validation loss."""
    select: str | None = None
    """Rule that chooses the checkpoint to keep by its validation metrics, such as "recall@10 subject to
    sensitivity_ratio@10<=0.02"; by default the highest Recall@10, or Recall at the largest cutoff."""


class SftConfig(SftSettings, StageConfig):
    """Safe SFT: imitation of lists that violate no constraint (``saferec sft``)."""

    @model_validator(mode="before")
    @classmethod
    def _defaults_by_regime(cls, settings: Any) -> Any:
        return with_lora_defaults(settings, "sft")


class SftStage(SftSettings):
    """Safe SFT as the first stage of ``saferec train``; everything else it takes from the run."""

    evaluation: EvaluationConfig = EvaluationConfig()
    """Evaluation of the stage's checkpoints."""
    logging: LoggingConfig = LoggingConfig()
    """Logs and checkpoints of the stage."""

    @model_validator(mode="before")
    @classmethod
    def _leave_the_rest_to_the_run(cls, settings: Any) -> Any:
        own = cls.model_fields
        if isinstance(settings, Mapping) and (
            shared := [name for name in settings if name in StageConfig.model_fields and name not in own]
        ):
            raise ValueError(
                f"{', '.join(shared)} cannot be set for the SFT stage alone: it uses the run's. "
                f"Set {shared[0]} outside of sft"
            )
        return settings


class TrainConfig(StageConfig):
    """Safe-Rank-GRPO (``saferec train``)."""

    sft_checkpoint: str | None = None
    """SFT policy to start from: a checkpoint or run folder, or a step of the latest SFT run."""
    reference_policy: str | None = None
    """Policy that the KL divergence is measured from: a run, checkpoint or model folder, a hub id, or "start"
    for the policy that training starts from; that is the default, except that training that starts from a
    Safe-Rank-GRPO run keeps the reference of that run."""
    sft: SftStage | None = None
    """Safe SFT stage to run first when no sft_checkpoint is given."""
    rewards: dict[str, RewardChoice] = Field(
        default={
            "relevance": RewardChoice(weight=1.0),
            "safety": RewardChoice(weight=1.0),
            "count": RewardChoice(weight=1.0),
        },
        min_length=1,
    )
    """Reward functions by name, in order. Where few titles are hits, relevance needs more weight than the
    others, such as 3."""
    reward_func: Literal["exp_inf", "log_decay"] = "exp_inf"
    """Variant of rewards that have one: each rank by itself, or discounted as in DCG."""
    normalizer: ComponentChoice = ComponentChoice(name="grpo")
    """Normalizer that turns rewards into advantages."""
    limits: LimitsConfig = LimitsConfig()
    """Shares of the recommended titles that training has to keep below a bound."""
    alarms: AlarmsConfig = AlarmsConfig()
    """What watches the run and says when it goes wrong."""
    rollout: RolloutConfig = RolloutConfig()
    """Sampling of completions during training."""
    optimization: GrpoOptimization = GrpoOptimization()
    """Optimizer and schedule."""
    kl_beta: float = Field(default=1e-3, ge=0)
    """Weight of the KL penalty toward the reference policy; 0.1 holds a policy near its start, as rare hits
    need."""
    epsilon: float = Field(default=0.2, gt=0, lt=1)
    """Clip range of the importance ratio: 1 - epsilon .. 1 + epsilon."""
    num_iterations: int = Field(default=1, ge=1)
    """Optimization passes over each generation batch."""
    steps_per_generation: int | None = Field(default=None, ge=1)
    """Forward passes that share one generation batch; by default gradient_accumulation_steps."""
    rank_weighting: Literal["ranks", "tokens"] = "ranks"
    """What weighs equally in the loss: every rank of a completion (the Rank-GRPO paper), or every token of
    the generation batch (the Safe-Rank-GRPO paper's reference implementation)."""
    eval_steps: int | None = Field(default=None, ge=1)
    """Optimizer steps between two evaluations on the validation records (else the test records) during
    training, greedy, logged as eval_*; by default only before and after training."""
    rollout_steps: int = Field(default=10, ge=1)
    """Optimizer steps between two generation batches that are kept in rollouts.jsonl."""
    select: str | None = None
    """Rule that chooses the checkpoint to keep by its validation metrics, such as "recall@10 subject to
    sensitivity_ratio@10<=0.02"; by default the last state is kept."""

    @model_validator(mode="before")
    @classmethod
    def _defaults_by_regime(cls, settings: Any) -> Any:
        return with_lora_defaults(settings, "train")

    @model_validator(mode="after")
    def _something_is_rewarded(self) -> Self:
        if not any(choice.weight > 0 for choice in self.rewards.values()):
            path = next((f"rewards.{name}.weight" for name in self.rewards), "rewards")
            raise misfit(path, "rewards: at least one must have a weight above 0")
        return self

    @model_validator(mode="after")
    def _cutoffs_of_the_stage_fit(self) -> Self:
        if self.sft is not None:
            _check_cutoffs("sft.evaluation", self.sft.evaluation, self.num_ranks)
        return self

    @property
    def sft_comes_first(self) -> bool:
        """Whether the run begins with its own Safe SFT stage."""
        return self.sft is not None and self.sft_checkpoint is None

    def sft_config(self) -> SftConfig:
        """Return the configuration of the run's Safe SFT stage: its own settings, all others the run's.

        It logs to the run's trackers unless it names its own.
        """
        assert self.sft is not None
        own = {name: getattr(self.sft, name) for name in SftStage.model_fields}
        shared = {name: getattr(self, name) for name in RunConfig.model_fields if name not in own}
        trackers = self.sft.logging.report_to or self.logging.report_to
        own["logging"] = self.sft.logging.model_copy(update={"report_to": trackers})
        return SftConfig(**shared, **own)
