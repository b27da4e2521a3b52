"""Kill runs at random moments, continue them, and compare each with the run that was left alone.

    python benchmarks/resume_soak.py [--kills 20] [--seed 0] [--setting "LoRA" ...]

Trains the demo's network for a few steps in every setting of ``SETTINGS``, mostly Safe SFT and then
Safe-Rank-GRPO. A kill is a SIGKILL to all processes of the run, with equal chances at a moment drawn evenly
from the time in which the undisturbed run trained and evaluated, while a checkpoint is being written, or just
after the last step of a generation was saved. A run that ends before its kill counts as none. What must be
equal to the bit: the policy of every stage, every rollout, every logged figure that is not a time, and every
evaluated sample.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import yaml

from saferec_core.demo.folder import write_demo
from saferec_core.runs.layout import RunLayout, checkpoint_step

_TIMES = ("train_runtime", "train_samples_per_second", "train_steps_per_second", "step_time", "eval_runtime")
_POLL = 0.002  # seconds
_LATEST = 0.1  # seconds between the event that a kill waits for and the kill
_RECORDS = 32
_GENERATION = 4  # optimizer steps: two slices of a generation batch, each trained on twice

_OPTIMIZATION = {
    "learning_rate": 1e-3,
    "per_device_train_batch_size": 8,
    "gradient_accumulation_steps": 1,
    "optim": "adamw_torch",
}
_SFT = {
    "optimization": {**_OPTIMIZATION, "max_steps": 6},  # an epoch has four
    "logging": {"logging_steps": 2, "save_steps": 1},
    "eval_strategy": "no",
    "max_length": 256,
    "evaluation": {"eval_prompts": 0, "eval_at": [5]},
}
_TRAIN = {
    "num_ranks": 5,
    "rewards": {"relevance": {"weight": 1}, "safety": {"weight": 1}, "count": {"weight": 1, "target": 5}},
    "rollout": {"num_generations": 4},
    "rollout_steps": 1,
    "steps_per_generation": 2,
    "num_iterations": 2,
    "max_completion_length": 16,
    "optimization": {**_OPTIMIZATION, "max_steps": 10},
    "logging": {"logging_steps": 4, "save_steps": 1},
    "evaluation": {"eval_prompts": 8, "eval_at": [5]},
    "run_name": "run",
}


class Setting(NamedTuple):
    """A way to train."""

    flags: Sequence[str] = ()
    processes: int = 1
    has_sft: bool = True
    needs: str = "torch"
    """A module that has to be installed."""


SETTINGS = {
    "full weights": Setting(),
    "LoRA": Setting(["--use-lora", "--lora-r", "4"]),
    "two processes": Setting(processes=2, has_sft=False),
    "8-bit optimizer": Setting(
        ["--optim", "paged_adamw_8bit", "--set", "sft.optimization.optim=paged_adamw_8bit"],
        needs="bitsandbytes",
    ),
}


class Outcome(NamedTuple):
    """What came of the runs of a setting."""

    kills: Sequence[str]
    """Where each fell."""
    runs: int
    unequal: int
    seconds: float


class Moment(NamedTuple):
    """When to kill a run."""

    label: str
    has_come: Callable[[Path, float], bool]
    """Asked every few milliseconds, with the run folder and the seconds since the start."""


def main() -> None:
    """Run the soak and print a line per kill, then a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20, help="of all settings together")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--setting", action="append", choices=list(SETTINGS))
    given = parser.parse_args()
    names = [name for name in given.setting or SETTINGS if find_spec(SETTINGS[name].needs)]
    draws = random.Random(given.seed)
    outcomes = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_world(folder / "world")
        for number, name in enumerate(names):
            kills = given.kills // len(names) + (number < given.kills % len(names))
            outcomes[name] = soak(name, folder, kills, draws)
    print_table(outcomes)
    sys.exit(any(outcome.unequal for outcome in outcomes.values()))


def write_world(folder: Path) -> None:
    """Write the demo with few records, and a configuration with Safe SFT and one without."""
    write_demo(folder, seed=0)
    for split in ("train", "test"):
        with (folder / f"{split}.jsonl").open(encoding="utf-8") as file:
            rows = list(islice(file, _RECORDS))
        (folder / f"{split}.jsonl").write_text("".join(rows), encoding="utf-8")
    settings = {
        "model": {"model": str(folder / "model")},
        "data": {f"{name}_path": str(folder / f"{name}.jsonl") for name in ("train", "test", "catalog")},
        "oracle": {"name": "table", "path": str(folder / "oracle.jsonl")},
        **_TRAIN,
    }
    for has_sft in (True, False):
        content = {**settings, "sft": _SFT} if has_sft else settings
        config_path(folder, has_sft).write_text(yaml.safe_dump(content), encoding="utf-8")


def config_path(world: Path, has_sft: bool) -> Path:
    """Return the configuration with Safe SFT or the one without."""
    return world / ("both.yaml" if has_sft else "train.yaml")


def soak(name: str, folder: Path, kills: int, draws: random.Random) -> Outcome:
    """Train in a setting undisturbed, then kill and continue runs until there were enough kills."""
    setting = SETTINGS[name]
    config = config_path(folder / "world", setting.has_sft)
    command = [*launcher(setting.processes), "train", str(config), *setting.flags, "--output-dir"]
    began = time.monotonic()
    alone = folder / name / "alone"
    preparation = Seconds()
    start([*command, str(alone)], alone / "run", Moment("", preparation))
    duration = time.monotonic() - began
    print(
        f"{name}: undisturbed {duration:.0f} s, {preparation.value:.0f} s of it before the run folder",
        flush=True,
    )
    fallen: list[str] = []
    runs = unequal = 0
    while len(fallen) < kills:
        output = folder / name / f"killed-{runs}"
        while len(fallen) < kills:
            moment = draw_moment(draws, preparation.value, duration)
            if not start([*command, str(output), "--resume"], output / "run", moment):
                break
            fallen.append(phase(output / "run"))
            print(f"  kill {len(fallen)} {moment.label}: in {fallen[-1]}", flush=True)
        else:
            start([*command, str(output), "--resume"], output / "run")
        differing = list(differences(alone / "run", output / "run"))
        runs, unequal = runs + 1, unequal + bool(differing)
        print("  finished:", "; ".join(differing) or "equal to the bit", flush=True)
        shutil.rmtree(output)
    return Outcome(fallen, runs, unequal, time.monotonic() - began)


class Seconds:
    """Notes when the folder of a run appeared; a moment that never comes."""

    value = 0.0

    def __call__(self, run: Path, seconds: float) -> bool:
        """Look for the folder."""
        self.value = self.value or (seconds if run.is_dir() else 0.0)
        return False


class Seen:
    """Comes some seconds after something has changed a number of times to what it was not at the start."""

    def __init__(self, look: Callable[[Path], str], number: int, delay: float) -> None:
        """Count the values of *look* that are not empty; *delay* is in seconds."""
        self._look, self._left, self._delay = look, number, delay
        self._last: str | None = None
        self._at = float("inf")

    def __call__(self, run: Path, seconds: float) -> bool:
        """Look once more."""
        value = self._look(run)
        if value and self._last is not None and value != self._last:
            self._left -= 1
            if self._left == 0:
                self._at = seconds + self._delay
        self._last = value
        return seconds >= self._at


def draw_moment(draws: random.Random, earliest: float, latest: float) -> Moment:
    """Draw when the next kill comes."""
    kind, delay = draws.randrange(3), draws.uniform(0, _LATEST)
    if kind == 0:
        moment = draws.uniform(earliest, latest)
        return Moment(f"{moment:.1f} s after the start", lambda _, seconds: seconds >= moment)
    if kind == 1:
        number = draws.randint(1, 4)
        return Moment(f"at save {number}", Seen(draft_of, number, delay))
    return Moment("after a generation", Seen(ended_generation, 1, delay))


def draft_of(run: Path) -> str:
    """Return the checkpoint that is being written; empty if none is."""
    for stage in (RunLayout(run), RunLayout(run).sft):
        with suppress(OSError):
            return "".join(path.name for path in (stage.checkpoints / ".saving").iterdir())
    return ""


def ended_generation(run: Path) -> str:
    """Return the newest checkpoint if no step of its generation is left; empty otherwise."""
    newest = newest_step(RunLayout(run))
    return str(newest) if newest and newest % _GENERATION == 0 else ""


def newest_step(stage: RunLayout) -> int:
    """Return the step of the newest checkpoint of a stage; 0 if there is none."""
    return max((checkpoint_step(path.name) or 0 for path in stage.checkpoints.glob("*")), default=0)


def start(command: Sequence[str], run: Path, moment: Moment | None = None) -> bool:
    """Run a command; return whether it was killed before it ended.

    Raises:
        RuntimeError: It failed by itself.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    began = time.monotonic()
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors, env=environment)
        try:
            while process.poll() is None:
                if moment is not None and moment.has_come(run, time.monotonic() - began):
                    return True
                time.sleep(_POLL)
        finally:
            if process.poll() is None:
                kill(process)
        if process.returncode:
            errors.seek(0)
            raise RuntimeError(errors.read().decode()[-3000:])
    return False


def kill(process: subprocess.Popen[Any]) -> None:
    """Kill a process and all that it has started; torchrun's are in process groups of their own."""
    parent = psutil.Process(process.pid)
    family = [parent, *parent.children(recursive=True)]
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.kill()
    psutil.wait_procs(family)
    process.wait()


def phase(folder: Path) -> str:
    """Say how far a run is."""
    run = RunLayout(folder)
    if run.policy.is_dir():
        return "the evaluation after training"
    for stage, name in ((run, "Safe-Rank-GRPO"), (run.sft, "Safe SFT")):
        if step := newest_step(stage):
            saving = ", while saving" if draft_of(stage.path) else ""
            ended = ", a generation has ended" if stage is run and step % _GENERATION == 0 else ""
            return f"{name} after step {step}{ended}{saving}"
    return "the beginning, while saving" if draft_of(folder) else "the beginning"


def print_table(outcomes: dict[str, Outcome]) -> None:
    """Print a row per setting."""
    print(
        "\n| setting | kills | in Safe SFT | while saving | after a generation | runs | unequal | seconds |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for name, outcome in outcomes.items():
        counts = [
            sum(words in kill for kill in outcome.kills)
            for words in ("Safe SFT", "while saving", "a generation has ended")
        ]
        figures = (len(outcome.kills), *counts, outcome.runs, outcome.unequal, round(outcome.seconds))
        print(f"| {name} | {' | '.join(map(str, figures))} |")


def launcher(processes: int) -> list[str]:
    """Return the start of a command that runs saferec in one or several processes."""
    if processes == 1:
        return [sys.executable, "-m", "saferec_cli"]
    torchrun = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc_per_node",
        str(processes),
    ]
    return [*torchrun, "-m", "saferec_cli"]


def differences(one: Path, other: Path) -> Iterator[str]:
    """Name what differs between two finished runs that should be the same to the bit."""
    for path in sorted(one.glob("**/policy/*.safetensors")):
        name = path.relative_to(one)
        if digest(path) != digest(other / name):
            yield f"{name} differs"
    for path in sorted((*one.glob("*.jsonl"), *one.glob("sft/*.jsonl"))):
        name = path.relative_to(one)
        rows, others = figures(path), figures(other / name)
        if rows != others:
            first = next(
                (n for n, pair in enumerate(zip(rows, others, strict=False)) if pair[0] != pair[1]), -1
            )
            yield f"{name} differs ({len(rows)} and {len(others)} rows, first in row {first + 1})"
    for path in sorted(one.glob("evaluation/*.parquet")):
        name = path.relative_to(one)
        if samples(path) != samples(other / name):
            yield f"{name} differs"


def figures(path: Path) -> list[dict[str, Any]]:
    """Return the rows of a log without what depends on the clock."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [{k: v for k, v in json.loads(line).items() if k not in _TIMES} for line in lines]


def samples(path: Path) -> Any:
    """Return the rows of an evaluation."""
    import pyarrow.parquet

    return pyarrow.parquet.read_table(path).to_pylist() if path.is_file() else None


def digest(path: Path) -> str:
    """Return the SHA-256 of a file; empty if there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


if __name__ == "__main__":
    main()
