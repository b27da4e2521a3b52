"""How many weights a run moves: from a checkpoint in bfloat16, as most are published.

    python benchmarks/weights_moved.py [--steps 6]

Trains the demo's network, its weights rounded to bfloat16, at the default learning rates: all weights as
saferec does, with and without autocast, adapters, and all weights kept in bfloat16, with the checks turned
off that refuse such a run. A weight counts as moved if it differs after all steps. Beside that stands the
mean share of the weights with a gradient that a step moves.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.resume_soak import config_path, write_world

_RUN = "from saferec_cli.main import main\nmain()"
_UNCHECKED = f"""
from saferec_core.training.trl import update_check
update_check.check_rate = lambda *_: None
update_check.ENOUGH = 0
{_RUN}"""
_RL, _SFT = ("--learning-rate", "1e-6"), ("--learning-rate", "5e-5")

WAYS = {
    ("Safe SFT", "all weights, float32"): ("sft", _RUN, _SFT),
    ("Safe SFT", "all weights, float32, --bf16"): ("sft", _RUN, (*_SFT, "--bf16")),
    ("Safe SFT", "all weights kept in bfloat16"): ("sft", _UNCHECKED, (*_SFT, "--dtype", "bfloat16")),
    ("Safe-Rank-GRPO", "all weights, float32"): ("train", _RUN, _RL),
    ("Safe-Rank-GRPO", "all weights, float32, --bf16"): ("train", _RUN, (*_RL, "--bf16")),
    ("Safe-Rank-GRPO", "all weights kept in bfloat16"): ("train", _UNCHECKED, (*_RL, "--dtype", "bfloat16")),
    ("Safe-Rank-GRPO", "adapters, float32"): ("train", _RUN, ("--use-lora", "--learning-rate", "1e-5")),
}
"""What is trained and how: the command, its code and its flags."""


def main() -> None:
    """Train in every way and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=6)
    steps = parser.parse_args().steps
    print(f"| stage | trained | rate | moved in {steps} steps | moved by a step |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_world(folder / "world")
        _round(folder / "world" / "model", folder / "half")
        for number, ((stage, trained), (command, code, flags)) in enumerate(WAYS.items()):
            run = train(folder, f"run-{number}", command, code, (*flags, "--max-steps", str(steps)))
            rows = map(json.loads, (run / "metrics.jsonl").read_text("utf-8").splitlines())
            shares = [row["weights_moved"] for row in rows if "weights_moved" in row]
            after = run / "policy" / "model.safetensors"
            whole = (
                f"{share_moved(folder / 'half' / 'model.safetensors', after):.2%}" if after.is_file() else ""
            )
            rate = flags[flags.index("--learning-rate") + 1]
            print(f"| {stage} | {trained} | {rate} | {whole} | {sum(shares) / len(shares):.2%} |", flush=True)


def train(folder: Path, name: str, command: str, code: str, flags: Sequence[str]) -> Path:
    """Run one command in a process of its own, and return the run's folder."""
    config = config_path(folder / "world", has_sft=False)
    arguments = ["train", str(config)]
    if command == "sft":
        data = [f"--{split}-path={folder / 'world' / split}.jsonl" for split in ("train", "catalog")]
        arguments = ["sft", *data, "--gradient-accumulation-steps=1", "--max-completion-length=16"]
    common = {"model": folder / "half", "output-dir": folder / "runs", "run-name": name, "eval-prompts": 0}
    common |= {"logging-steps": 1, "save-strategy": "no", "per-device-train-batch-size": 32}
    subprocess.run(
        [
            sys.executable,
            "-c",
            code,
            *arguments,
            *(f"--{key}={value}" for key, value in common.items()),
            *flags,
        ],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
    )
    return folder / "runs" / name


def share_moved(before: Path, after: Path) -> float:
    """Return the share of the weights of one file that are different in another."""
    from safetensors.torch import load_file

    old, new = load_file(before), load_file(after)
    moved = sum(int((new[name].float() != old[name].float()).sum()) for name in old)
    return moved / sum(tensor.numel() for tensor in old.values())


def _round(model: Path, target: Path) -> None:
    """Write a model again with weights in bfloat16."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    AutoModelForCausalLM.from_pretrained(model, dtype=torch.bfloat16).save_pretrained(target)
    AutoTokenizer.from_pretrained(model).save_pretrained(target)


if __name__ == "__main__":
    main()
