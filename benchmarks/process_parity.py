"""Losses of Safe SFT with one process and with two, by plain data parallelism, DeepSpeed and FSDP2.

    python benchmarks/process_parity.py [--steps 5]

Every way of distributing trains on the same samples in the same steps, from the same weights of the demo, so
that the losses must be equal to about four digits: sums are only taken in another order. Where an engine is
missing its row says so. FSDP2 runs by ``fsdp_on_cpu.py``, since accelerate sets it up with a GPU alone.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import yaml

from saferec_core.demo.folder import write_demo

CONFIGS = Path(__file__).parents[1] / "examples" / "configs"
WAYS = {
    "1 process, accumulation": (1, None),
    "2 processes, DDP": (2, None),
    "2 processes, ZeRO-2": (2, CONFIGS / "zero2.yaml"),
    "2 processes, ZeRO-3": (2, CONFIGS / "zero3.yaml"),
    "2 processes, FSDP2": (2, CONFIGS / "fsdp2.yaml"),
}
SAMPLES = 16


def main() -> None:
    """Train in every way and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=5)
    steps = parser.parse_args().steps
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_demo(folder / "world", seed=0)
        print("| | " + " | ".join(f"step {step}" for step in range(1, steps + 1)) + " | engine |")
        print("|---" * (steps + 2) + "|")
        for way, (processes, config) in WAYS.items():
            if "ZeRO" in way and find_spec("deepspeed") is None:
                print(f"| {way} | DeepSpeed is not installed |", flush=True)
                continue
            run = train(folder, way, processes, config, steps)
            rows = map(json.loads, (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
            losses = [f"{row['loss']:.4f}" for row in rows if "loss" in row]
            manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
            print(f"| {way} | {' | '.join(losses)} | {manifest['engine']['distributed']} |", flush=True)


def train(folder: Path, way: str, processes: int, config: Path | None, steps: int) -> Path:
    """Run Safe SFT in one way, and return its folder."""
    world, slices = folder / "world", 2 // processes
    optimization = {
        "learning_rate": 1e-3,
        "max_steps": steps,
        "per_device_train_batch_size": SAMPLES // 2,
        "gradient_accumulation_steps": slices,
        "optim": "adamw_torch",
    }
    settings = {
        "model": {"model": str(world / "model")},
        "data": {"train_path": str(world / "train.jsonl"), "catalog_path": str(world / "catalog.jsonl")},
        "max_length": 256,
        "optimization": optimization,
        "logging": {"logging_steps": 1, "save_strategy": "no"},
        "evaluation": {"eval_prompts": 0},
        "run_name": way.replace(" ", "-").replace(",", ""),
        "output_dir": str(folder / "runs"),
    }
    path = folder / "sft.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    subprocess.run(
        [*command(folder, processes, config), "sft", str(path)],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
    )
    return folder / "runs" / str(settings["run_name"])


def command(folder: Path, processes: int, config: Path | None) -> list[str]:
    """Return the beginning of the command line that starts saferec in so many processes."""
    saferec = [sys.executable, "-m", "saferec_cli"]
    if processes == 1:
        return saferec
    if config is None or "fsdp" not in config.name:
        return [
            *saferec,
            "launch",
            "-n",
            str(processes),
            *([] if config is None else ["--config", str(config)]),
        ]
    on_cpu = folder / config.name
    settings = yaml.safe_load(config.read_text(encoding="utf-8"))
    on_cpu.write_text(yaml.safe_dump({**settings, "use_cpu": True}), encoding="utf-8")
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(on_cpu)]
    launch += ["--num_processes", str(processes), "--main_process_port", "0"]
    return [*launch, str(Path(__file__).with_name("fsdp_on_cpu.py"))]


if __name__ == "__main__":
    main()
