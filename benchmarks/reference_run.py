"""What the reference set-up of Safe-Rank-GRPO trains: a network of 0.5 B weights, adapters, 8-bit optimizer.

    python benchmarks/reference_run.py FOLDER [--steps 4] [--tiny]
    saferec train FOLDER/run.yaml
    python benchmarks/resume_soak.py FOLDER/run.yaml --kills 1

FOLDER gets the demo's users and films, a network with random weights of the dimensions of Qwen2.5-0.5B, and
a run with ``--preset safe-rank-grpo``: adapters of rank 256, gdpo, 24 completions a step in passes of one,
recomputed activations, bfloat16, paged 8-bit AdamW. It generates with transformers, not with vLLM, saves
every second step, and logs every step. What is learned means nothing; what is shown is that it runs, what it
takes, and that it continues where it was killed. ``--tiny``: a network that a processor can train, with
PyTorch's AdamW.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
import yaml
from gpu_step import QWEN, TINY
from paired_steps import write_model
from transformers import AutoTokenizer

from saferec_core.demo.folder import write_demo


def main() -> None:
    """Write FOLDER."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--tiny", action="store_true")
    chosen = parser.parse_args()
    folder = chosen.folder.resolve()
    write_demo(folder / "world", seed=0)
    tokenizer = AutoTokenizer.from_pretrained(folder / "world/model")
    millions = write_model(folder / "model", tokenizer, TINY if chosen.tiny else QWEN, torch.float32)
    run = settings(folder, chosen.steps)
    if chosen.tiny:
        run["optimization"] |= {"optim": "adamw_torch", "bf16": False}
        run["max_completion_length"] = 24
    (folder / "run.yaml").write_text(yaml.safe_dump(run, sort_keys=False), encoding="utf-8")
    print(f"{folder / 'run.yaml'}: {millions:.0f} M weights, {chosen.steps} steps")


def settings(folder: Path, steps: int) -> dict[str, Any]:
    """Return the run's settings: what a preset does not say."""
    world = folder / "world"
    return {
        "preset": "safe-rank-grpo",
        "model": {"model": str(folder / "model")},
        "sft_checkpoint": str(folder / "model"),
        "data": {
            "train_path": str(world / "train.jsonl"),
            "test_path": str(world / "test.jsonl"),
            "catalog_path": str(world / "catalog.jsonl"),
        },
        "oracle": {"name": "table", "path": str(world / "oracle.jsonl"), "open_from": 1},
        "num_ranks": 10,
        "max_completion_length": 140,
        "optimization": {"max_steps": steps},
        "logging": {"logging_steps": 1, "save_steps": 2},
        "evaluation": {"eval_prompts": 8, "eval_at": [10]},
        "output_dir": str(folder),
    }


if __name__ == "__main__":
    main()
