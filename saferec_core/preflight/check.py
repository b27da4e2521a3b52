"""Everything that keeps a run from starting, found before torch is imported."""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from pathlib import Path

from saferec_core.config.generation import EngineConfig
from saferec_core.config.schema import (
    EvalConfig,
    RecommendConfig,
    RunConfig,
    SftConfig,
    StageConfig,
    TrainConfig,
)
from saferec_core.endpoints.endpoint import Endpoint, check_key_variable
from saferec_core.errors import near_misses
from saferec_core.evaluation.baseline_names import BASELINE_NAMES
from saferec_core.plugins.offered import Plugins
from saferec_core.preflight.components import check_components, check_rewards, columns_of_oracles
from saferec_core.preflight.inputs import check_data, check_model, is_cached, is_local
from saferec_core.preflight.problems import Problems
from saferec_core.preflight.rates import check_rates
from saferec_core.runs.checkpoints import newest_usable, sft_policy
from saferec_core.runs.layout import RunLayout
from saferec_core.runs.machine import has_gpu
from saferec_core.runs.references import check_reference, planned_reference
from saferec_core.runs.versions import vllm_problem
from saferec_core.training.batches import check_batches
from saferec_core.training.combinations import impossible_combinations
from saferec_core.training.extras import missing_extras

__all__ = ["find_problems", "processes"]


def find_problems(
    config: RunConfig, plugins: Plugins, *, is_demo: bool = False, policy: bool = True, train: bool = False
) -> list[str]:
    """Return every problem of a configuration that can be found without torch, each with its flag.

    Args:
        config: The run.
        plugins: What is installed.
        is_demo: Whether model and data are the demo's, which are made later.
        policy: Whether there is a policy at all; predictions and baselines have none.
        train: Whether training records are needed although nothing is trained.
    """
    problems = Problems()
    needs = columns_of_oracles(config, plugins)
    if isinstance(config, TrainConfig):
        needs |= check_rewards(problems, config, plugins)
    if isinstance(config, SftConfig) or (isinstance(config, TrainConfig) and config.sft_comes_first):
        needs["completion"] = "Safe SFT"
    if not is_demo:
        if isinstance(config, EvalConfig | RecommendConfig):
            if policy and not _is_hosted(config):
                _check_policy(problems, config)
            if isinstance(config, EvalConfig):
                _check_held_out(problems, config)
        else:
            check_model(problems, config.model.model, "--model")
        check_data(problems, config.data, needs=needs, train=train or isinstance(config, StageConfig))
    check_components(problems, config, plugins, is_demo=is_demo)
    if isinstance(config, StageConfig):
        _check_stage(problems, config)
        check_rates(problems, config)
    _check_engines(problems, config)
    return problems.lines


def _check_stage(problems: Problems, config: StageConfig) -> None:
    assert isinstance(config, SftConfig | TrainConfig)
    for problem in missing_extras(config):
        problems.add(problem)
    for problem in impossible_combinations(config, has_gpu=has_gpu()):
        problems.add(problem)
    if not isinstance(config, TrainConfig):
        return
    with problems.collecting():
        check_batches(config, processes(config))
    if config.sft_comes_first:
        for problem in missing_extras(config.sft_config()):
            problems.add(problem)
    if config.sft_checkpoint is not None:
        with problems.collecting():
            start = sft_policy(config.sft_checkpoint, config.model.model, config.output_dir)
            check_model(problems, start, "--sft-checkpoint")
    if config.kl_beta:
        with problems.collecting():
            _check_reference(problems, config)


def _check_reference(problems: Problems, config: TrainConfig) -> None:
    reference = planned_reference(config)
    if reference is not None:
        check_reference(reference)
        check_model(problems, reference.policy, "--reference-policy")


def _check_policy(problems: Problems, config: EvalConfig | RecommendConfig) -> None:
    """Check the policy: for a run folder without one, name its checkpoints."""
    policy = config.model.model
    if policy is None or not is_local(policy):
        if baseline := _meant_baseline(policy):
            way = "saferec baseline " if isinstance(config, EvalConfig) else ""
            problems.add(f"POLICY {policy} is neither a run nor a model. Did you mean {way + baseline!r}?")
        else:
            check_model(problems, policy, "POLICY")
        return
    folder = Path(policy)
    run = RunLayout(folder)
    unfinished = run.exists and not (folder / "config.json").is_file() and not run.policy.is_dir()
    if not unfinished:
        check_model(problems, policy, "POLICY")
        return
    last = newest_usable(run)
    instead = "it has no intact checkpoint" if last is None else f"evaluate a checkpoint, such as {last}"
    problems.add(f"run {policy} has no policy because it did not finish; {instead}")


def _meant_baseline(policy: str | None) -> str | None:
    """Return the baseline that a name resembles, unless it is that of a model that was downloaded."""
    if not policy or not re.fullmatch(r"[a-zA-Z]+(-[a-zA-Z]+)*", policy):
        return None
    meant = next((name for name in BASELINE_NAMES if name == policy or near_misses(policy, [name])), None)
    return None if meant is None or is_cached(policy) else meant


def _check_held_out(problems: Problems, config: EvalConfig) -> None:
    if config.data.test_path is None and config.data.validation_path is None:
        problems.add("--test-path is missing: held-out records (or --validation-path)")
    if config.evaluation.eval_prompts == 0:
        problems.add("--eval-prompts 0 leaves nothing to evaluate; set at least 1")


def _check_engines(problems: Problems, config: RunConfig) -> None:
    """Name settings that cannot work on this machine."""
    attention = config.model.attn_implementation
    if attention.startswith("flash_attention") and not has_gpu():
        problems.add(f"--attn-implementation {attention} needs a GPU, and there is none; use sdpa")
    elif attention == "flash_attention_2" and find_spec("flash_attn") is None:
        problems.add(
            f"--attn-implementation {attention} needs the package flash-attn; install it or use sdpa"
        )
    if config.model.load_in_4bit and find_spec("bitsandbytes") is None:
        problems.add("--load-in-4bit needs bitsandbytes: install saferec[quant], or leave the flag out")
    if isinstance(config, EvalConfig):
        _check_evaluation_engine(problems, config)


def _check_evaluation_engine(problems: Problems, config: EvalConfig) -> None:
    if config.evaluation.guided:
        engine = config.evaluation.eval_engine
        if engine != "transformers":
            problems.add(f"--guided runs with --eval-engine transformers only, not with {engine}")
    if _is_hosted(config):
        if find_spec("openai") is None:
            problems.add("--eval-engine openai needs the openai client: install saferec[data]")
        with problems.collecting():
            check_key_variable(config.endpoint.api_key_env)
            Endpoint.find(config.endpoint.base_url, config.endpoint.api_key_env)
    if config.evaluation.eval_engine != "vllm" and config.engine != EngineConfig():
        problems.add(
            f"--vllm-... settings do nothing with --eval-engine {config.evaluation.eval_engine}; add "
            "--eval-engine vllm, or leave them out"
        )
    if config.evaluation.eval_engine == "vllm":
        if problem := vllm_problem():
            problems.add(f"--eval-engine vllm {problem}")
        elif str(config.model.model).endswith(".gguf"):
            problems.add("--eval-engine vllm cannot read GGUF files; use transformers")


def _is_hosted(config: RunConfig) -> bool:
    return isinstance(config, EvalConfig) and config.evaluation.eval_engine == "openai"


def processes(config: StageConfig) -> int:
    """Return how many processes a run has: those that were launched or, in a plan, that it is meant for."""
    return int(os.environ.get("WORLD_SIZE") or config.processes or 1)
