"""A run folder as a report sees it: its configuration, logs and evaluations, as far as there are any."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from saferec_core.analysis.estimates import Interval
from saferec_core.analysis.metrics import WholeFigure
from saferec_core.analysis.results import MetricFacts, Results, read_results
from saferec_core.config.settings import read_settings
from saferec_core.errors import DataError, RunError, for_each
from saferec_core.report.moments import Moment
from saferec_core.runs.layout import RunLayout
from saferec_core.runs.log_rows import log_rows

__all__ = ["CheckpointChoice", "Run", "Stage", "read_run", "read_runs"]

_EVALUATION = re.compile(r"(before|after|policy)-((?:greedy|sampled)(?:-guided)?(?:-[0-9a-f]{8}){0,2})")
_ENDS = ("chosen", "policy", "after")
"""What stands for the policy that a run ended with, the best last."""
_STEP = re.compile(r"(\d+)$")


@dataclass(frozen=True)
class CheckpointChoice:
    """The checkpoints of a stage on the validation records, and which one was chosen."""

    rule: str
    chosen: str
    """Name of the chosen one."""
    sentence: str
    """Why it was chosen; empty if that was not written down."""
    protocol: str
    metrics: Mapping[str, Mapping[str, Interval | None]]
    """Mean and 95% interval by checkpoint and metric; None where no sample has a value."""

    @staticmethod
    def step(checkpoint: str) -> int | None:
        """Return the step at the end of a checkpoint's name."""
        match = _STEP.search(checkpoint)
        return int(match[1]) if match else None


@dataclass(frozen=True)
class Stage:
    """One training stage of a run."""

    name: str
    """Such as ``"Safe SFT"``."""
    rows: Sequence[Mapping[str, Any]]
    """What was logged, in order, each with its ``step``."""
    checkpoints: CheckpointChoice | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    """Of the stage."""


@dataclass(frozen=True)
class Run:
    """Everything of a run that a report shows, but for the rollouts, which are read one by one."""

    folder: Path
    name: str
    """What to call it: the folder's name, with that of its parent if two runs share it."""
    config: Mapping[str, Any]
    manifest: Mapping[str, Any]
    stages: Sequence[Stage]
    """In the order they were trained, those of the run that this one began with included."""
    own_stages: Sequence[Stage] = ()
    """Those that were logged in the run's own folder."""
    evaluations: Mapping[Moment, Results] = field(default_factory=dict)
    whole: Mapping[Moment, Mapping[str, WholeFigure]] = field(default_factory=dict)
    """What was measured of all lists together, such as how much of the catalog they name."""
    flips: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """What ``saferec eval --flip`` said, sentence by sentence, by policy and decoding."""

    def rollouts(self) -> Iterator[Mapping[str, Any]]:
        """Yield the rows of ``rollouts.jsonl``; none if there is no such file.

        Raises:
            DataError: A row is damaged; the message names file and line.
        """
        path = RunLayout(self.folder).rollouts
        wanted = {"step", "record", "prompt", "completion", "titles", "reward", "advantage"}
        for number, row in log_rows(path):
            if missing := sorted(wanted - row.keys()):
                raise DataError(f"{path}, line {number}: a rollout needs {', '.join(missing)}")
            yield row

    @property
    def metric_facts(self) -> Mapping[str, MetricFacts]:
        """What is known of every metric that was evaluated."""
        return {
            name: metric for results in self.evaluations.values() for name, metric in results.metrics.items()
        }

    def final_whole(self, decoding: str) -> Mapping[str, WholeFigure]:
        """Return what was measured of all lists together of the policy that the run ended with."""
        moments = [Moment(when, decoding) for when in _ENDS]
        return next((self.whole[moment] for moment in reversed(moments) if moment in self.whole), {})

    @property
    def final(self) -> Mapping[str, Results]:
        """By decoding, the evaluation of the policy that the run ended with."""
        ends: dict[str, Results] = {}
        for when in _ENDS:
            ends |= {
                moment.decoding: results
                for moment, results in self.evaluations.items()
                if moment.when == when
            }
        return ends


def read_runs(folders: Sequence[Path]) -> list[Run]:
    """Read run folders; runs with the same name get their parent's name as well.

    Raises:
        SaferecError: As `read_run`, or a folder is named twice. All that are not run folders are named.
    """
    for_each(_layout, folders)
    resolved = [folder.resolve() for folder in folders]
    for index, folder in enumerate(resolved):
        if folder in resolved[:index]:
            raise RunError(f"run folder {folders[index]} is named twice")
    names = [folder.name for folder in resolved]
    own = [
        names.count(folder.name) == 1 and folder != RunLayout(folder.parent).sft.path for folder in resolved
    ]
    return [
        read_run(folder, name if enough else f"{folder.resolve().parent.name}/{name}")
        for folder, name, enough in zip(folders, names, own, strict=True)
    ]


def read_run(folder: Path, name: str | None = None) -> Run:
    """Read a run folder.

    Raises:
        RunError: It is not a run folder.
        SaferecError: A file of it is damaged; the message names the file.
    """
    run = _layout(folder)
    config = read_settings(run.config)
    stages = _stages(run, config)
    first = _stages(run.sft, read_settings(run.sft.config)) if run.sft.exists else []
    stored = _stored(run)
    evaluations = {moment: read_results(path) for moment, path in stored.items()}
    choice = next((stage.checkpoints for stage in stages if stage.checkpoints), None)
    if choice and not evaluations:
        chosen = run.results(f"{choice.chosen}-greedy")
        evaluations = {Moment("chosen", "greedy"): read_results(chosen)} if chosen.is_file() else {}
    return Run(
        folder,
        name or folder.resolve().name,
        config,
        _read_json(run.manifest) if run.manifest.is_file() else {},
        [*first, *stages],
        stages,
        evaluations,
        {moment: _whole(run, moment, path) for moment, path in stored.items()},
        {
            path.stem.removesuffix("-flip"): _sentences(path)
            for path in sorted(run.evaluation.glob("*-flip.json"))
        },
    )


def _layout(folder: Path) -> RunLayout:
    if not folder.exists():
        raise RunError(f"{folder} does not exist; expected a run folder")
    run = RunLayout(folder)
    if not run.exists:
        raise RunError(f"{folder} is not a run folder: it has no config.yaml")
    return run


def _stages(run: RunLayout, config: Mapping[str, Any]) -> list[Stage]:
    """Return the stages that were logged in a folder; one that is being set up has no rows yet."""
    path = run.metrics
    by_stage: dict[str, list[Mapping[str, Any]]] = {}
    for number, row in log_rows(path):
        if not isinstance(row.get("step"), int):
            raise DataError(f"{path}, line {number}: a log needs a step, a whole number")
        by_stage.setdefault(str(row.get("stage", "training")), []).append(row)
    choice = _checkpoint_choice(run.checkpoint_choice)
    if choice and not by_stage:
        by_stage["checkpoints"] = []
    last = next(reversed(by_stage), None)
    return [Stage(name, rows, choice if name == last else None, config) for name, rows in by_stage.items()]


def _checkpoint_choice(path: Path) -> CheckpointChoice | None:
    if not path.is_file():
        return None
    stored = _read_json(path)
    try:
        protocol = stored.get("protocol", "")
        return CheckpointChoice(
            str(stored["rule"]),
            str(stored["chosen"]),
            str(stored.get("sentence", "")),
            str(protocol.get("id", "")) if isinstance(protocol, Mapping) else str(protocol),
            {
                str(checkpoint): {metric: _interval(value) for metric, value in metrics.items()}
                for checkpoint, metrics in stored["checkpoints"].items()
            },
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path} is not what saferec writes ({type(error).__name__}: {error})") from error


def _interval(value: Any) -> Interval | None:
    if value is None:
        return None
    mean, low, high = (float("nan") if number is None else float(number) for number in value)
    return mean, low, high


def _stored(run: RunLayout) -> dict[Moment, Path]:
    """Return the files of a run's evaluations; guided lists of a trained policy are those after training."""
    stored = {}
    for path in sorted(run.evaluation.glob("*.parquet")):
        if match := _EVALUATION.fullmatch(path.stem):
            stored[Moment(match[1], match[2])] = path
    if any(moment.when == "after" for moment in stored):
        for moment in [moment for moment in stored if moment.when == "policy" and moment.guided]:
            stored.setdefault(Moment("after", moment.decoding), stored.pop(moment))
    return stored


def _whole(run: RunLayout, moment: Moment, rows: Path) -> dict[str, WholeFigure]:
    """Return what was measured of all lists together; the summaries hold it beside the *rows*."""
    path = run.summary(rows.stem)
    together = not path.is_file()  # one summary for before and after
    path = run.summary(moment.decoding) if together else path
    measured = _read_json(path).get("all_lists_together") if path.is_file() else None
    if together and isinstance(measured, Mapping):
        measured = measured.get(moment.when)
    if not isinstance(measured, Mapping):
        return {}
    return {str(name): WholeFigure.read(stored) for name, stored in measured.items()}


def _sentences(path: Path) -> list[str]:
    sentences = _read_json(path).get("sentences")
    return [str(sentence) for sentence in sentences] if isinstance(sentences, list) else []


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(content, dict):
        raise DataError(f"{path} must contain an object, but contains {type(content).__name__}")
    return content
