"""Sections of a run configuration: frozen, checked groups of settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from saferec_core.config.choices import DEFAULT_PARSER, ComponentChoice, Section
from saferec_core.config.value_types import (
    EmptyList,
    IdealDcg,
    MaxTime,
    Occasion,
    Preset,
    Removal,
    Steps,
    TitleMatching,
    Trackers,
    none_in_words,
)

__all__ = [
    "AlarmsConfig",
    "DataConfig",
    "EvaluationConfig",
    "GrpoOptimization",
    "LimitsConfig",
    "LoggingConfig",
    "ModelConfig",
    "OptimizationConfig",
    "PromptsConfig",
    "SftOptimization",
    "StandaloneEvaluation",
    "TrainableModelConfig",
    "WishesConfig",
]


class ModelConfig(Section):
    """The policy."""

    model: str | None = None
    """Pretrained model: hub id, folder, or GGUF file."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Data type of the weights; auto is float32 for weights that are trained, else the checkpoint's."""
    load_in_4bit: bool = False
    """Load weights in 4 bits (nf4), an eighth of the memory; only LoRA trains on them (saferec[quant])."""
    attn_implementation: str = "sdpa"
    """Attention kernel, such as sdpa, eager or flash_attention_2 (GPU)."""
    trust_remote_code: bool = False
    """Run Python code that comes with a model from the hub."""
    system: Literal["keep", "merge"] = "keep"
    """Keep system messages as they are, or merge each into the first turn of the user, for models whose chat
    template refuses the role (Gemma 2, Mistral v0.1); a policy is saved with the template that does so."""


class TrainableModelConfig(ModelConfig):
    """The policy and what is trained of it."""

    use_lora: bool = False
    """Train LoRA adapters instead of all weights; only adapters are saved, and the reference policy is the
    model without them."""
    lora_r: int = Field(default=16, ge=1)
    """Rank of the LoRA matrices."""
    lora_alpha: float = Field(default=32, gt=0)
    """LoRA scaling factor; the effective scale is alpha / r."""
    lora_dropout: float = Field(default=0.05, ge=0, lt=1)
    """Dropout on the LoRA inputs during Safe SFT, in 0..1. Safe-Rank-GRPO turns it off: it would make the
    importance ratio noise."""
    lora_target_modules: list[str] = Field(default=["all-linear"], min_length=1)
    """Modules that get adapters; all-linear means every linear layer except the output head."""


class DataConfig(Section):
    """Records, catalog and how they are read."""

    train_path: Path | None = None
    """Training records: JSONL, Parquet, or a folder written by datasets."""
    validation_path: Path | None = None
    """Held-out records for choosing a checkpoint, in the same formats."""
    test_path: Path | None = None
    """Held-out records for evaluation; defaults to the validation records."""
    catalog_path: Path | None = None
    """Titles that may be recommended: JSONL, CSV or Parquet with title and year, or a data-only pickle."""
    year_tolerance: int = Field(default=2, ge=0)
    """Maximum difference in release year, in years, when matching titles."""
    max_records: int | None = Field(default=None, ge=1, exclude_if=lambda number: number is None)
    """Records of each split to use, the first ones that its transforms leave; none: all."""
    match_subtitles: bool = False
    """Match a title that the catalog lacks with the only one of the same year that has it with a subtitle,
    or without its own, such as Jumanji (2017) with Jumanji: Welcome to the Jungle (2017). Part of the
    protocol id."""
    parser: ComponentChoice = DEFAULT_PARSER
    """Parser that reads titles from a completion."""
    domain_path: Path | None = Field(default=None, exclude_if=lambda path: path is None)
    """Domain file (YAML): the parser, unless it is set, and the sentences that state constraints; films by
    default."""
    list_marker: str | None = Field(default=None, min_length=1)
    """Text that ends free reasoning in front of a list, exactly as completions have it, line breaks included.
    Guided decoding leaves what comes before it free, within max_completion_length; none: lists begin at
    once."""
    transforms: list[ComponentChoice] = []
    """Dataset transforms, applied in order to every split."""
    max_prompt_length: int | None = Field(default=None, ge=16)
    """Longer prompts, in tokens, lose their oldest turns but never the last one; none: no limit."""


class OptimizationConfig(Section):
    """Optimizer and schedule."""

    learning_rate: float = Field(default=1e-6, gt=0)
    """Peak learning rate; with LoRA the default is 1e-5."""
    lr_scheduler_type: str = "linear"
    """Learning rate schedule, by its name in transformers."""
    warmup_ratio: float = Field(default=0.0, ge=0, lt=1)
    """Fraction of the steps spent on warmup."""
    max_steps: Steps = -1
    """Optimizer steps; -1 trains for num_train_epochs."""
    num_train_epochs: float = Field(default=1, gt=0)
    """Passes over the training records when max_steps is -1."""
    per_device_train_batch_size: int = Field(default=1, ge=1)
    """Sequences per forward pass and process."""
    gradient_accumulation_steps: int = Field(default=24, ge=1)
    """Forward passes per optimizer step."""
    optim: str = "auto"
    """Optimizer, by its name in transformers; auto is paged_adamw_8bit where there is a GPU and bitsandbytes
    (saferec[quant]), else adamw_torch."""
    max_grad_norm: float = Field(default=1.0, gt=0)
    """Gradients are clipped to this norm."""
    bf16: bool = False
    """Compute in bfloat16 where that is safe (autocast); trained weights keep their own type."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass to save memory."""


class GrpoOptimization(OptimizationConfig):
    """Optimizer and schedule of Safe-Rank-GRPO."""

    max_steps: Steps = 1200
    """Optimizer steps; -1 trains for num_train_epochs."""
    share_prefix: Literal["auto", "on", "off"] = "auto"
    """Compute each prompt once for all of its completions: auto does so where the model supports it and it
    saves time, on fails where the model does not support it, off never does."""


class SftOptimization(OptimizationConfig):
    """Optimizer and schedule of Safe SFT."""

    learning_rate: float = Field(default=5e-5, gt=0)
    """Peak learning rate; with LoRA the default is 2e-4."""
    warmup_ratio: float = Field(default=0.05, ge=0, lt=1)
    """Fraction of the steps spent on warmup."""
    num_train_epochs: float = Field(default=10, gt=0)
    """Passes over the training records when max_steps is -1."""
    per_device_train_batch_size: int = Field(default=12, ge=1)
    """Sequences per forward pass and process."""
    gradient_accumulation_steps: int = Field(default=8, ge=1)
    """Forward passes per optimizer step."""


class LoggingConfig(Section):
    """Logs and checkpoints."""

    logging_steps: int = Field(default=10, ge=1)
    """Optimizer steps between two rows of metrics.jsonl."""
    save_strategy: Occasion = "steps"
    """When checkpoints are written."""
    save_steps: int = Field(default=100, ge=1)
    """Optimizer steps between two checkpoints."""
    save_total_limit: int | None = Field(default=3, ge=1)
    """Number of checkpoints to keep, the newest; none: all. Where a rule chooses among checkpoints, the
    weights of older ones are kept until it has, and those of the chosen one for good."""
    max_time: MaxTime | None = None
    """Longest training time of a stage, such as 45m, 1h30m or 5400 (seconds); it then saves and ends with
    exit status 75, to be continued with --resume."""
    stall_time: MaxTime | None = "30m"
    """Time without progress after which the stacks of all threads are written to stacks.txt in the run
    folder; none: never."""
    report_to: Trackers = []
    """Experiment trackers: tensorboard, trackio, wandb; none sends nothing anywhere."""


class EvaluationConfig(Section):
    """Evaluation on held-out prompts."""

    eval_prompts: int = Field(default=500, ge=0)
    """Held-out prompts to evaluate, from the start of the split; 0 skips evaluation."""
    eval_at: list[int] = Field(default=[5, 10], min_length=1)
    """Cutoffs K of Recall@K, NDCG@K and Sensitivity Ratio@K; by default 5 and 10, as num_ranks allows."""
    eval_decoding: list[Literal["greedy", "sampled"]] = Field(default=["greedy"], min_length=1)
    """Decoding: greedy, or sampled at eval_temperature; both can be given."""
    eval_temperature: float = Field(default=1.0, gt=0)
    """Temperature of sampled decoding."""
    eval_top_p: float = Field(default=1.0, gt=0, le=1)
    """Nucleus (top-p) threshold of sampled decoding."""
    eval_samples: int = Field(default=1, ge=1)
    """Completions per prompt in sampled decoding."""
    eval_batch_size: int = Field(default=32, ge=1)
    """Prompts per generation batch."""
    protocol: Preset = "saferec"
    """How lists are scored: saferec's own protocol, or that of the Rank-GRPO or Safe-Rank-GRPO reference
    implementation for comparison with published numbers. The options below change one choice each."""
    eval_seen: Removal | None = None
    """A title the user has seen keeps its rank as a miss, or is removed and later titles move up."""
    eval_duplicates: Removal | None = None
    """The same choice for a title that repeats an earlier one."""
    eval_out_of_catalog: Removal | None = None
    """The same choice for a title that is not in the catalog."""
    eval_title_matching: TitleMatching | None = None
    """Match hits, seen titles and catalog titles by normal form and year, or by exact string."""
    eval_ideal_dcg: IdealDcg | None = None
    """Ideal list of NDCG: as many hits as there are relevant titles, or as the list has room for."""
    eval_empty_list: EmptyList | None = None
    """Share of violations of an empty list: undefined, or 0."""
    eval_metrics: list[str] = []
    """Metrics to compute, by name; defaults to saferec's own, which "default" stands for in a list with
    metrics of plugins."""
    eval_metric_options: dict[str, dict[str, Any]] = {}
    """Options of metrics, by name, such as ``{ndcg: {ideal: list}}``; else the protocol sets them."""
    eval_traits: list[str] = []
    """Evaluate only records with one of these constraints; defaults to all records."""


class StandaloneEvaluation(EvaluationConfig):
    """Evaluation outside a training run."""

    eval_engine: Literal["transformers", "vllm", "openai"] = "transformers"
    """Generation engine; vllm needs saferec[vllm]. With openai, POLICY is the name of a model behind an
    OpenAI-compatible endpoint; needs saferec[data]."""
    guided: bool = False
    """Guided decoding: only titles of the catalog that are unseen, not yet listed and not known to violate a
    constraint of the user can be written."""
    eval_year: Literal["complete", "required"] = "complete"
    """How the parser reads a title without a year, unless its own option year says so: complete looks for the
    only title of the catalog with that name; required counts the line as unreadable, as training does. With
    the settings of a training run the default is required, so that its figures can be compared."""
    unknown: Literal["allow", "forbid"] = "allow"
    """Whether guided lists, and those of safe baselines, may hold titles that the oracle cannot judge."""


class PromptsConfig(Section):
    """How a policy is asked."""

    instruction: Annotated[str | None, BeforeValidator(none_in_words)] = None
    """Instruction (system message) in front of prompts that have none; by default that of the run's training
    records. none: no instruction."""


class WishesConfig(PromptsConfig):
    """How a policy is asked for what somebody typed."""

    sentences: dict[str, str] = {}
    """Sentences that state constraints, by trait; by default those of the training records of the policy's
    run, else the first explicit one of the trait."""


class LimitsConfig(Section):
    """Shares of the recommended titles that training has to keep below a bound."""

    limit: list[str] = []
    """Limits such as violation_rate<=0.02, violation_rate[TRAIT]<=0.01 or wasted<=0.01; others:
    repeated, seen, out_of_catalog, unknown. A price is charged at a multiplier that training adapts."""
    limit_margin: float = Field(default=0.2, ge=0, lt=1)
    """Aim below a bound by this share of it, so that chance from batch to batch does not exceed it."""
    limit_rate: float = Field(default=0.05, gt=0)
    """How fast a multiplier rises: by this per generation batch at an excess of one bound over the aim."""
    limit_proportional: float = Field(default=0.0, ge=0)
    """Multiplier for an excess of one bound, beside what has added up (PID); 0: dual ascent alone."""
    limit_derivative: float = Field(default=0.0, ge=0)
    """Multiplier for a rise by one bound from one generation batch to the next (PID)."""
    limit_max: float = Field(default=10.0, gt=0)
    """Bound on every multiplier; an advantage is about 1 in size."""


class AlarmsConfig(Section):
    """Alarms: what watches a run and says when it goes wrong. Every installed alarm does by default."""

    stop_on_alarm: bool = False
    """When an alarm is raised, save a checkpoint and end the run with exit status 1. By default, report."""
    ignore_alarm: list[str] = []
    """Alarms to leave out, by name; ``saferec plugins list`` shows them."""
    alarm_options: dict[str, dict[str, Any]] = {}
    """Options of alarms, by name, such as ``{kl: {most: 5}}``; ``saferec plugins show kl`` lists them."""
