"""Run one arm with one seed, and measure its lists on the held-out users."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from copy import copy, deepcopy
from dataclasses import dataclass
from inspect import signature
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from grid import Arm, Grid
from labels import write_sparse_records
from trl import GRPOTrainer

from saferec_core import load_plugins, report
from saferec_core.config.load import Layer, resolved
from saferec_core.config.schema import TrainConfig
from saferec_core.demo.folder import SPLITS, write_records
from saferec_core.demo.profile import demo_folder, demo_settings, make_demo
from saferec_core.evaluation.evaluator import Evaluation
from saferec_core.evaluation.setup import Parts, assemble
from saferec_core.models.completions import Completion, Decoding
from saferec_core.models.decoding import NO_RANK
from saferec_core.models.generation import PolicyGenerator, generation_prefix
from saferec_core.models.guided.allowed import AllowedTitles
from saferec_core.models.guided.guiding import Guiding
from saferec_core.models.guided.kept_guide import guide_of
from saferec_core.models.whole_policy import whole_policy
from saferec_core.plugins.contracts.oracle import Question
from saferec_core.plugins.contracts.parser import ParsedList
from saferec_core.plugins.offered import Plugins
from saferec_core.rl import rollouts
from saferec_core.rl.rollouts import RolloutScorer
from saferec_core.runs.observer import Observer
from saferec_core.training.before_after import evaluate
from saferec_core.training.rank_grpo import run_train
from saferec_core.training.sft import run_sft
from saferec_core.training.trl import grpo_setup
from saferec_core.training.trl.resumable import Resumable

__all__ = ["RESULT", "run_arm", "settings_problems"]

RESULT = "result.json"
"""Written last into an arm's folder: its lists' metrics by user. What has it is not run again."""


def run_arm(grid: Grid, seed: int, name: str, folder: Path) -> None:
    """Run an arm with one seed.

    Args:
        grid: The study.
        seed: Of data, training and sampling.
        name: Of the arm; those that it builds on have been run.
        folder: Of the seed; the arm gets a folder in it.
    """
    arm, plugins = grid.arms[name], load_plugins()
    settings = _settings(grid, seed, folder)
    if arm.sft is not None:
        settings["data"]["train_path"] = str(_records(grid, arm.sft, seed, folder))
        as_named = {"run_name": name, "resume": True}  # what an earlier call has begun goes on
        config = TrainConfig(**settings).sft_config().model_copy(update=as_named)
        run_sft(config, plugins, Observer())
    elif arm.train is not None:
        start = str(folder / _policy_of(grid, str(arm.of)))
        settings = merged(settings, {**arm.train, "sft_checkpoint": start, "run_name": name, "resume": True})
        unevaluated = merged(settings, {"evaluation": {"eval_prompts": 0}})
        with _credited(arm), _levelled(arm), _patched(report, "write_report", lambda *_: None):
            run_train(TrainConfig(**unevaluated), plugins, Observer())
    made = _measured(TrainConfig(**settings), plugins, folder / _policy_of(grid, name), arm)
    result = folder / name / RESULT
    result.parent.mkdir(exist_ok=True)
    part = result.with_suffix(".part")
    part.write_text(json.dumps({kind: _by_user(evaluation) for kind, evaluation in made.items()}))
    part.replace(result)


def merged(settings: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return *settings* with those of *over*, section by section; rewards are replaced as a whole."""
    result = dict(settings)
    for key, value in over.items():
        nested = isinstance(value, Mapping) and isinstance(result.get(key), Mapping) and key != "rewards"
        result[key] = merged(result[key], value) if nested else value
    return result


def _settings(grid: Grid, seed: int, folder: Path) -> dict[str, Any]:
    """Return the settings of a run with *seed*; the files of the demo are made if need be."""
    if grid.world.demo:
        make_demo(folder, seed=seed)
    settings = _shared_settings(grid, seed, folder)
    if grid.world.right_labels is not None:
        settings["data"]["train_path"] = str(_sparse_records(grid.world.right_labels, seed, folder))
    return settings


def _shared_settings(grid: Grid, seed: int, folder: Path) -> dict[str, Any]:
    """Return what every arm is given, without a look at any file."""
    settings = demo_settings(folder, seed=seed) if grid.world.demo else deepcopy(grid.world.settings)
    return merged(settings, {**grid.settings, "seed": seed, "output_dir": str(folder)})


def settings_problems(grid: Grid, folder: Path) -> list[str]:
    """Name every setting of the study and its arms that a run would refuse."""
    shared = _shared_settings(grid, grid.seeds[0], folder)

    def refused(origin: str, settings: Mapping[str, Any]) -> list[str]:
        return list(resolved(TrainConfig, files=[Layer(origin, settings)]).problems)

    problems = refused("settings", shared)
    if not problems:  # else each arm has them too
        for name, arm in grid.arms.items():
            own = merged(shared, {**(arm.train or {}), "sft_checkpoint": str(arm.of)})
            problems += [f"arm {name}: {problem}" for problem in refused(f"arm {name}", own)]
    return problems


def _sparse_records(right: float, seed: int, folder: Path) -> Path:
    """Return the file with training records that know little of what users like."""
    demo = demo_folder(folder, seed)
    path = demo / "train-sparse.jsonl"
    if not path.exists():
        write_sparse_records(demo, path, right=right, seed=seed)
    return path


def _records(grid: Grid, kind: str, seed: int, folder: Path) -> Path:
    """Return the file with the records of plain or Safe SFT."""
    if not grid.world.demo:
        return grid.world.train[kind]  # type: ignore[index]
    path = demo_folder(folder, seed) / ("train.jsonl" if kind == "safe" else "train-plain.jsonl")
    if not path.exists():
        write_records(path, SPLITS["train"], seed=seed, heeded=False)
    return path


def _policy_of(grid: Grid, name: str) -> str:
    """Return the folder of the run whose policy an arm's lists come from."""
    arm = grid.arms[name]
    return _policy_of(grid, str(arm.of)) if arm.lists is not None else name


def _measured(config: TrainConfig, plugins: Plugins, run: Path, arm: Arm) -> dict[str, Evaluation]:
    """Evaluate the lists of the policy in *run*, changed as the arm says, once for each decoding."""
    parts = assemble(config, plugins)
    policy = whole_policy(str(run / "policy"), config.model)
    generator: Any = PolicyGenerator(policy)
    if arm.lists == "filtered":
        generator = _Filtered(generator, parts)
    elif arm.lists == "guided":
        guide = guide_of(
            policy.tokenizer,
            parts.parser,
            parts.judge.catalog,
            num_ranks=config.num_ranks,
            end_ids=policy.end_ids,
            generation_prefix=generation_prefix(policy.tokenizer),
        )
        generator = _Guided(generator, parts, guide)
    made = evaluate(config, parts, plugins, generator, Observer(), when="after", policy=str(run))
    return dict(zip(config.evaluation.eval_decoding, made, strict=True))


def _by_user(evaluation: Evaluation) -> dict[str, Any]:
    """Return the metrics of each user, and those of all lists together."""
    results = evaluation.results
    values = {metric: results.values(metric).tolist() for metric in results.metrics}
    by_row = {metric: [None if value != value else value for value in row] for metric, row in values.items()}
    whole = {name: figure.value for name, figure in evaluation.whole.items()}
    return {"users": results.users.tolist(), "metrics": by_row, "whole": whole}


@dataclass(frozen=True)
class _OfRecords:
    """A generator that knows whose prompts it is given."""

    generator: PolicyGenerator
    parts: Parts

    def records_of(self, prompts: Sequence[Any]) -> list[Any]:
        """Find the record of each prompt."""
        by_prompt = {json.dumps(list(record.prompt)): record for record in self.parts.held_out}
        return [by_prompt[json.dumps(list(prompt))] for prompt in prompts]


class _Filtered(_OfRecords):
    """Takes titles that violate out of the lists, without anything in their place."""

    def __call__(self, prompts: Sequence[Any], decoding: Decoding, **options: Any) -> list[list[Completion]]:
        """Generate, then filter."""
        lists = self.generator(prompts, decoding, **options)
        return [
            [self._filtered(completion, record.constraints) for completion in siblings]
            for siblings, record in zip(lists, self.records_of(prompts), strict=True)
        ]

    def _filtered(self, completion: Completion, constraints: tuple[str, ...]) -> Completion:
        parsed = self.parts.parser(completion.text, finished=completion.finished)
        questions = [Question(item.name, item.year, constraints) for item in parsed.items]
        verdicts = self.parts.judge.ask(questions) if questions else []
        kept = [
            f"{item.name} ({item.year})"
            for item, verdict in zip(parsed.items, verdicts, strict=True)
            if not verdict.violated
        ]
        return Completion("\n".join(kept), completion.finished)


@dataclass(frozen=True)
class _Guided(_OfRecords):
    """Writes only titles that the user may be shown."""

    guide: Any

    def __call__(self, prompts: Sequence[Any], decoding: Decoding, **options: Any) -> list[list[Completion]]:
        """Generate with what may not be shown masked."""
        allowed = AllowedTitles(self.parts.judge)
        guiding = Guiding(self.guide, [allowed.of(record) for record in self.records_of(prompts)])
        return self.generator(prompts, decoding, **{**options, "guiding": guiding})


def _credited(arm: Arm) -> Any:
    return _patched(rollouts, "assign_ranks", by_line) if arm.credit == "newline" else nullcontext()


def _levelled(arm: Arm) -> Any:
    if arm.level == "rank":
        return nullcontext()
    return _patched(grpo_setup, "RankGRPOTrainer", _GSPOTrainer if arm.level == "gspo" else _SequenceTrainer)


def by_line(starts: Sequence[np.ndarray], lists: Sequence[ParsedList], num_ranks: int) -> list[np.ndarray]:
    """Give every token of N completions the rank of the line that it stands in, line break and end included.

    This is what counting line breaks comes to where every line has one title.
    """
    lines = [
        np.searchsorted([item.start for item in parsed.items], own, side="right") - 1
        for own, parsed in zip(starts, lists, strict=True)
    ]
    return [np.where(ranks < num_ranks, ranks, NO_RANK) for ranks in lines]


class _SequenceTrainer(Resumable, GRPOTrainer):  # type: ignore[misc]  # TRL ships no types
    """TRL's own trainer, which credits a completion as a whole with the sum of its rewards."""

    def __init__(self, model: Any, *, scorer: RolloutScorer, args: Any, **options: Any) -> None:
        """Leave out what only rank-level training takes; the KL divergence is measured from the start."""
        self._scorer = scorer
        self.sharing = SimpleNamespace(mode="off", reason="TRL's own trainer")  # as saferec reports it
        of_trl = signature(GRPOTrainer.__init__).parameters
        kept = {name: value for name, value in options.items() if name in of_trl}
        super().__init__(model, self._total, args, **kept)

    def _total(self, completion_ids: Sequence[Sequence[int]], record: Sequence[int], **_: Any) -> list[float]:
        """Return the weighted sum of each completion's mean rewards."""
        rewards = self._scorer.rewards
        values = self._scorer(completion_ids, record).rewards.by_function(rewards)
        means = [value.nanmean(1) if value.dim() > 1 else value for value in values]
        weighted = [reward.weight * mean.nan_to_num(0.0) for reward, mean in zip(rewards, means, strict=True)]
        totals: list[float] = torch.stack(weighted).sum(0).tolist()
        return totals


class _GSPOTrainer(_SequenceTrainer):
    """GSPO (arXiv 2507.18071): one importance ratio a completion, clipped within the paper's narrow range."""

    def __init__(self, model: Any, *, args: Any, **options: Any) -> None:
        """Have TRL compute the ratio by completion, each of which counts the same."""
        args = copy(args)
        args.importance_sampling_level, args.loss_type = "sequence", "grpo"
        args.epsilon, args.epsilon_high = 3e-4, 4e-4
        super().__init__(model, args=args, **options)


@contextmanager
def _patched(module: Any, name: str, value: Any) -> Iterator[None]:
    """Have another function in a module's place; the process ends with the arm."""
    before = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, before)
