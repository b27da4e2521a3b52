"""Sections of a run configuration: frozen, checked groups of settings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from saferec_core.config.durations import seconds

__all__ = [
    "ComponentChoice",
    "DataConfig",
    "EmptyList",
    "EvaluationConfig",
    "GrpoOptimization",
    "IdealDcg",
    "LoggingConfig",
    "ModelConfig",
    "OptimizationConfig",
    "Preset",
    "Removal",
    "RewardChoice",
    "RolloutConfig",
    "Section",
    "SftOptimization",
    "TitleMatching",
]


def _minus_one_or_positive(steps: int) -> int:
    if steps == 0 or steps < -1:
        raise ValueError(f"must be at least 1, or -1 for as many as the epochs need, but is {steps}")
    return steps


Steps = Annotated[int, AfterValidator(_minus_one_or_positive)]
"""A number of optimizer steps, or -1."""


def _without_none(names: list[str]) -> list[str]:
    trackers = [name for name in dict.fromkeys(names) if name != "none"]
    if trackers and "none" in names:
        raise ValueError(f"none stands alone, but came with {', '.join(trackers)}")
    return trackers


Trackers = Annotated[list[Literal["tensorboard", "trackio", "wandb", "none"]], AfterValidator(_without_none)]
"""Trackers by name; ``["none"]`` is read as none."""

Preset = Literal["saferec", "rank-grpo", "safe-training"]
"""Ways to score lists that have a name."""
Removal = Literal["miss", "removed"]
"""What becomes of a title that can be no hit: it keeps its rank, or the ranks are closed."""
TitleMatching = Literal["normal-form", "exact"]
"""Whether titles match by their one normal form, or by the very string."""
IdealDcg = Literal["truth", "list"]
"""What NDCG compares with: hits as many as relevant titles, or as the list has room for."""
EmptyList = Literal["no-value", "safe"]
"""What the share of violations of an empty list is."""


def _duration(text: str) -> str:
    seconds(text)
    return text


MaxTime = Annotated[str, BeforeValidator(str), AfterValidator(_duration)]
"""A duration, such as ``"1h30m"``."""


class Section(BaseModel):
    """A group of settings: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)


class ComponentChoice(Section):
    """A plugin component by name; every other key is an option of the component."""

    model_config = ConfigDict(extra="allow")

    name: str
    """Name under which a plugin registered it; see ``saferec plugins list``."""

    @property
    def options(self) -> dict[str, Any]:
        """The component's options."""
        return dict(self.model_extra or {})


class RewardChoice(Section):
    """A reward function's weight; every other key is an option of the reward function."""

    model_config = ConfigDict(extra="allow")

    weight: float = Field(default=1.0, ge=0)
    """How much the reward weighs where the normalizer combines them; 0 leaves it out."""

    @property
    def options(self) -> dict[str, Any]:
        """The reward function's options."""
        return dict(self.model_extra or {})


class ModelConfig(Section):
    """The policy."""

    model: str | None = None
    """Hub id, folder, or GGUF file of the pretrained model."""
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Type of the weights; auto: float32 where they are trained, that of the checkpoint elsewhere."""
    attn_implementation: str = "sdpa"
    """Attention kernel, such as sdpa, eager or flash_attention_2 (GPU)."""
    trust_remote_code: bool = False
    """Run code that comes with a model from the hub."""
    use_lora: bool = False
    """Train LoRA adapters; only adapter weights are saved, the reference is the policy without them."""
    lora_r: int = Field(default=16, ge=1)
    """Size of the adapters."""
    lora_alpha: float = Field(default=32, gt=0)
    """Scaling factor of the adapters; their effective scale is alpha / r."""
    lora_dropout: float = Field(default=0.05, ge=0, lt=1)
    """Dropout on the LoRA inputs during Safe SFT, in 0..1. Safe-Rank-GRPO turns it off: it would make the
    importance ratio noise."""
    lora_target_modules: list[str] = Field(default=["all-linear"], min_length=1)
    """Names of the modules that get adapters; all-linear for every linear layer but the head."""


class DataConfig(Section):
    """Records, catalog and how they are read."""

    train_path: Path | None = None
    """Training records: JSONL, Parquet, or a folder written by datasets."""
    validation_path: Path | None = None
    """Held-out records for choosing a checkpoint."""
    test_path: Path | None = None
    """Held-out records for the before/after table; the validation records if not given."""
    catalog_path: Path | None = None
    """Titles that may be recommended: JSONL or CSV with title and year, or a data-only pickle."""
    year_tolerance: int = Field(default=2, ge=0)
    """By how many years a release year may be off where titles are matched."""
    parser: ComponentChoice = ComponentChoice(name="title-year")
    """What reads titles out of a completion."""
    transforms: list[ComponentChoice] = []
    """Dataset transforms, applied in order to every split."""
    max_prompt_length: int | None = Field(default=None, ge=16)
    """Prompts over this many tokens lose their oldest turns, never the last; None: no limit."""


class OptimizationConfig(Section):
    """How the weights are moved."""

    learning_rate: float = Field(default=1e-6, gt=0)
    """Step size at its peak; with LoRA the default is 1e-5."""
    lr_scheduler_type: str = "linear"
    """Shape of the learning rate over the run, as named by transformers."""
    warmup_ratio: float = Field(default=0.0, ge=0, lt=1)
    """Share of the run over which the learning rate rises to its peak."""
    max_steps: Steps = -1
    """Optimizer steps; -1: as many as num_train_epochs need."""
    num_train_epochs: float = Field(default=1, gt=0)
    """Passes over the training records, where max_steps is -1."""
    per_device_train_batch_size: int = Field(default=1, ge=1)
    """Sequences per forward pass and process."""
    gradient_accumulation_steps: int = Field(default=24, ge=1)
    """Forward passes per optimizer step."""
    optim: str = "auto"
    """Optimizer, as named by transformers; auto: paged_adamw_8bit where there is a GPU and bitsandbytes
    (saferec[quant]), else adamw_torch."""
    max_grad_norm: float = Field(default=1.0, gt=0)
    """Gradients are scaled down to this norm."""
    bf16: bool = False
    """Compute in bfloat16 where that is safe (autocast); the trained weights stay in their own type."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass, to save memory."""


class GrpoOptimization(OptimizationConfig):
    """How Safe-Rank-GRPO moves the weights."""

    max_steps: Steps = 1200
    """Optimizer steps; -1: as many as num_train_epochs need."""


class SftOptimization(OptimizationConfig):
    """How Safe SFT moves the weights."""

    learning_rate: float = Field(default=5e-5, gt=0)
    """Step size at its peak; with LoRA the default is 2e-4."""
    warmup_ratio: float = Field(default=0.05, ge=0, lt=1)
    """Share of the run over which the learning rate rises to its peak."""
    num_train_epochs: float = Field(default=10, gt=0)
    """Passes over the training records, where max_steps is -1."""
    per_device_train_batch_size: int = Field(default=12, ge=1)
    """Sequences per forward pass and process."""
    gradient_accumulation_steps: int = Field(default=8, ge=1)
    """Forward passes per optimizer step."""


class LoggingConfig(Section):
    """What is written while a run goes on."""

    logging_steps: int = Field(default=10, ge=1)
    """Optimizer steps between two rows of metrics.jsonl."""
    save_strategy: Literal["no", "steps", "epoch"] = "steps"
    """When checkpoints are written."""
    save_steps: int = Field(default=100, ge=1)
    """Optimizer steps between two checkpoints."""
    save_total_limit: int | None = Field(default=3, ge=1)
    """How many checkpoints a run can be continued from are kept, the newest; None: all. Where a rule chooses
    among checkpoints, the weights of older ones are kept until it has, and the chosen one for good."""
    max_time: MaxTime | None = None
    """How long a stage may train, such as 45m, 1h30m or 5400 (seconds); it then saves and ends with exit
    status 75, to be continued with --resume."""
    report_to: Trackers = []
    """Trackers that get the metrics as well: tensorboard, trackio, wandb; none: nothing is sent anywhere."""


class EvaluationConfig(Section):
    """How policies are compared on held-out prompts."""

    eval_prompts: int = Field(default=500, ge=0)
    """Held-out prompts to use, the first ones of the split; 0: no evaluation."""
    eval_at: list[int] = Field(default=[5, 10], min_length=1)
    """The K of Recall@K, NDCG@K and Sensitivity Ratio@K."""
    eval_decoding: list[Literal["greedy", "sampled"]] = Field(default=["greedy"], min_length=1)
    """Decoding: the most likely token each time, or drawn at eval_temperature."""
    eval_temperature: float = Field(default=1.0, gt=0)
    """Temperature of sampled decoding."""
    eval_top_p: float = Field(default=1.0, gt=0, le=1)
    """Share of the probability that sampled decoding draws from."""
    eval_samples: int = Field(default=1, ge=1)
    """Completions per prompt in sampled decoding."""
    eval_batch_size: int = Field(default=32, ge=1)
    """Prompts that are generated together."""
    eval_engine: Literal["transformers", "vllm"] = "transformers"
    """What generates in saferec eval; vllm needs saferec[vllm]. During training it is transformers, with
    the model that is being trained."""
    protocol: Preset = "saferec"
    """How lists are scored: saferec's way, or that of the Rank-GRPO or the Safe-Rank-GRPO code, to compare
    with published figures. Each choice below changes one thing about it."""
    eval_seen: Removal | None = None
    """A title the user has seen keeps its rank as a miss, or is removed and the ranks are closed."""
    eval_duplicates: Removal | None = None
    """Likewise for a title that repeats an earlier one."""
    eval_out_of_catalog: Removal | None = None
    """Likewise for a title that is not in the catalog."""
    eval_title_matching: TitleMatching | None = None
    """Hits, seen and catalog titles by normal form and year, or by the very string."""
    eval_ideal_dcg: IdealDcg | None = None
    """NDCG compares with as many hits as there are relevant titles, or as the list has room for."""
    eval_empty_list: EmptyList | None = None
    """An empty list has no share of violations, or is safe."""
    eval_metrics: list[str] = []
    """Metrics to compute, by name; none: every one that is installed."""
    eval_traits: list[str] = []
    """Use only records with one of these constraints; none: all."""


class RolloutConfig(Section):
    """How completions are sampled from the policy during training."""

    num_generations: int = Field(default=4, ge=2)
    """Completions per prompt (G); at least 2, since an advantage compares siblings."""
    temperature: float = Field(default=1.0, gt=0)
    """Temperature of the sampling."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Share of the probability that is drawn from."""
    top_k: int = Field(default=0, ge=0)
    """How many of the likeliest tokens are drawn from; 0: all."""
    use_vllm: bool = False
    """Generate with vLLM (saferec[vllm])."""
    vllm_mode: Literal["colocate", "server"] = "colocate"
    """vLLM within the training processes, or a server of its own."""
    vllm_gpu_memory_utilization: float = Field(default=0.3, gt=0, le=1)
    """Share of the GPU's memory for vLLM in colocate mode."""
    vllm_tensor_parallel_size: int = Field(default=1, ge=1)
    """GPUs that share one vLLM engine in colocate mode."""
    vllm_max_model_length: int | None = Field(default=None, ge=1)
    """Longest prompt and completion together that vLLM plans for."""
    vllm_server_host: str = "0.0.0.0"  # noqa: S104 - TRL's default, an address to connect to
    """Host of the vLLM server."""
    vllm_server_port: int = Field(default=8000, ge=1, le=65535)
    """Port of the vLLM server."""
