"""Kill a run at random moments, continue it each time, and compare with the run that was left alone.

    python benchmarks/resume_soak.py run.yaml --kills 20 [--processes 2] [-- --use-lora ...]

Every kill is a SIGKILL to all processes at a moment drawn evenly from the duration of the undisturbed run, so
that kills fall into generation, optimizer steps, saving and evaluation alike. A run that ends before its kill
counts as none. What must be equal to the bit: the policy, every rollout, every logged figure that is no time,
and every evaluated sample.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

_TIMES = ("train_runtime", "train_samples_per_second", "train_steps_per_second", "step_time", "eval_runtime")


def main() -> None:
    """Run the soak and print a line per kill."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("further", nargs="*", help="further arguments of saferec train, behind --")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [*launcher(given.processes), "train", str(given.config.resolve()), *given.further]
        command += ["--run-name", "run", "--output-dir"]
        began = time.monotonic()
        subprocess.run([*command, str(folder / "alone")], check=True, stdout=subprocess.DEVNULL)
        duration = time.monotonic() - began
        print(f"undisturbed: {duration:.0f} s", flush=True)
        draws = random.Random(given.seed)
        kills = differing = 0
        while kills < given.kills:
            output = folder / f"killed-{kills}"
            while (moment := draws.uniform(0, duration)) and killed(
                [*command, str(output), "--resume"], moment
            ):
                kills += 1
                print(f"kill {kills} after {moment:.1f} s, in {phase(output / 'run')}", flush=True)
            unequal = list(differences(folder / "alone" / "run", output / "run"))
            differing += bool(unequal)
            print("finished:", "; ".join(unequal) or "equal to the bit", flush=True)
            shutil.rmtree(output)
    sys.exit(bool(differing))


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


def killed(command: Sequence[str], moment: float) -> bool:
    """Start a command in a process group of its own; kill the group, or return False if it ended before.

    Raises:
        RuntimeError: It failed by itself.
    """
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True)
        try:
            status = process.wait(timeout=moment)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return True
        if status:
            errors.seek(0)
            raise RuntimeError(errors.read().decode()[-3000:])
    return False


def phase(run: Path) -> str:
    """Say how far a run folder is."""
    if (run / "policy").is_dir():
        return "the evaluation after training"
    for stage, name in ((run, "Safe-Rank-GRPO"), (run / "sft", "Safe SFT")):
        checkpoints = sorted(
            stage.glob("checkpoints/checkpoint-*"), key=lambda path: int(path.name.split("-")[1])
        )
        if checkpoints:
            saving = ", while saving" if (stage / "checkpoints" / ".saving").is_dir() else ""
            return f"{name} after {checkpoints[-1].name}{saving}"
    return "the beginning"


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
