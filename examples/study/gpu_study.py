"""Plain SFT beside Safe SFT, then reinforcement learning on ReDial, evaluated, on one GPU.

    python gpu_study.py --kit KIT --results RESULTS [--sft-steps 300] [--rl-steps 150] [--rl-time 8m]

Everything is done by the command ``saferec``. RL has three arms, each from Safe SFT: the recipe at equal
weights, the recipe for rare hits (docs/rare-hits.md) and relevance alone. An arm whose ``--rl-time`` is up is
evaluated as it is then. A stage that fails is named and does not stop the others; after ``--seconds`` running
stages are asked to stop. Of every run its configuration, manifest, curves, evaluations and report are
collected, no weights.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

KEPT = (".json", ".jsonl", ".yaml", ".parquet", ".html", ".log")
"""Ends of the names of the files that are collected."""

PHASES = (
    ("plain-sft", "safe-sft"),
    ("eval-plain-sft", "eval-safe-sft", "equal-weights", "rare-hits", "relevance-only"),
    ("eval-equal-weights", "eval-rare-hits", "eval-relevance-only"),
)
"""What can be run, in this order; RL starts from ``safe-sft``."""

OUT_OF_TIME = 75
"""Exit status of a run that ``--max-time`` ended: it has saved its policy."""

LARGEST = 15 * 2**20
"""Bytes of the largest file that is collected; the rollouts of long runs are larger."""


def main() -> int:
    """Run the stages; return the number of those that failed."""
    chosen = options()
    started = time.monotonic()
    results, kit = chosen.results.resolve(), chosen.kit.resolve()
    results.mkdir(parents=True, exist_ok=True)
    model = kit / "unpacked"
    failed = 0
    if not (model / "config.json").is_file():
        convert(kit / "model.gguf", model)
    print(f"model ready after {time.monotonic() - started:.0f} s", flush=True)

    def left() -> float:
        return chosen.seconds - (time.monotonic() - started)

    for phase in PHASES:
        stages = commands(chosen, kit, model, results / "runs")
        wanted = {name: stages[name] for name in phase if name in chosen.only}
        if chosen.side_by_side:
            failed += together(wanted, results, left)
        else:
            failed += sum(together({name: command}, results, left) for name, command in wanted.items())
    collect(results)
    print(f"{failed} stage(s) failed; {time.monotonic() - started:.0f} s", flush=True)
    return failed


def commands(chosen: argparse.Namespace, kit: Path, model: Path, runs: Path) -> dict[str, list[object]]:
    """Return the commands by the name of the stage; what is evaluated is what there is now."""
    data = kit / "data"
    common = [
        *flags(catalog_path=data / "catalog.jsonl", oracle_path=data / "oracle.arrow", output_dir=runs),
        *flags(num_ranks=chosen.titles, max_completion_length=14 * chosen.titles + 10),
        *flags(optim="adamw_torch", gradient_accumulation_steps=1, logging_steps=5, seed=chosen.seed),
        *chosen.precision.split(),
    ]
    sft = [
        *("sft", *common, *flags(model=model, max_length=chosen.max_length, eval_strategy="no")),
        *flags(max_steps=chosen.sft_steps, learning_rate=chosen.sft_rate, save_strategy="no"),
        *flags(per_device_train_batch_size=chosen.sft_batch, eval_prompts=0),
    ]
    rl = [
        *("train", *common, *flags(model=model, sft_checkpoint=runs / "safe-sft", eval_prompts=0)),
        *flags(train_path=data / "dataset/train", max_prompt_length=chosen.max_length - 14 * chosen.titles),
        *flags(advantage_mode="gdpo", num_generations=8, temperature=chosen.temperature),
        *flags(max_steps=chosen.rl_steps, per_device_train_batch_size=chosen.batch, lr=chosen.rate),
        *flags(lr_scheduler_type="constant", save_strategy="no", max_time=chosen.rl_time),
        *chosen.generation.split(),
    ]
    rewards = [
        *("--reward", "relevance", "--reward", "safety", "--reward", "count"),
        *flags(target_count=chosen.titles),
    ]
    weight = f"rewards.relevance.weight={chosen.relevance_weight}"
    stages = {
        "plain-sft": [*sft, *flags(train_path=data / "dataset-plain/train")],
        "safe-sft": [*sft, *flags(train_path=data / "dataset/train")],
        "equal-weights": [*rl, *rewards, *flags(kl_beta=1e-3)],
        "rare-hits": [*rl, *rewards, *flags(kl_beta=chosen.kl_beta), "--set", weight],
        "relevance-only": [*rl, "--reward", "relevance", *flags(kl_beta=1e-3)],
    }
    evaluation = [
        *flags(test_path=data / "held-out", eval_prompts=chosen.samples, eval_batch_size=chosen.samples),
        *flags(eval_at=chosen.eval_at, eval_decoding="greedy,sampled", eval_temperature=chosen.temperature),
    ]
    return {
        **{name: [*command, *flags(run_name=name)] for name, command in stages.items()},
        **{f"eval-{name}": ["eval", policy_of(runs / name), *evaluation] for name in stages},
    }


def policy_of(run: Path) -> Path:
    """Return what there is to evaluate: a finished run, or the newest checkpoint of one that time ended."""
    checkpoints = sorted(run.glob("checkpoints/checkpoint-*"), key=lambda path: int(path.name.split("-")[-1]))
    return run if (run / "policy").is_dir() or not checkpoints else checkpoints[-1]


def flags(**settings: object) -> list[object]:
    """Write settings as options of a command line."""
    return [part for name, value in settings.items() for part in (f"--{name.replace('_', '-')}", value)]


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kit", type=Path, required=True)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=900, help="time of everything")
    parser.add_argument("--rl-time", default="8m", help="longest time of reinforcement learning")
    parser.add_argument("--titles", type=int, default=10, help="titles of a list, K: as many as the data has")
    parser.add_argument("--sft-steps", type=int, default=300)
    parser.add_argument("--sft-batch", type=int, default=32)
    parser.add_argument("--sft-rate", type=float, default=2e-4)
    parser.add_argument("--rl-steps", type=int, default=150)
    parser.add_argument("--batch", type=int, default=64, help="completions of an RL step")
    parser.add_argument("--rate", type=float, default=1e-5)
    parser.add_argument("--relevance-weight", type=float, default=3.0, help="of relevance in rare-hits")
    parser.add_argument("--kl-beta", type=float, default=0.1, help="of rare-hits")
    parser.add_argument("--max-length", type=int, default=512)
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--samples", type=int, default=700, help="held-out samples to evaluate, all at once")
    parser.add_argument("--eval-at", default="5,10")
    parser.add_argument("--precision", default="--bf16")
    parser.add_argument("--generation", default="--compile-decoding", help="how RL generates; '' for eagerly")
    parser.add_argument("--seed", type=int, default=0)
    stages = tuple(name for phase in PHASES for name in phase)
    parser.add_argument("--only", nargs="+", choices=stages, default=stages, help="stages to run")
    parser.add_argument("--side-by-side", action="store_true", help="stages that do not wait for each other")
    return parser.parse_args()


def convert(gguf: Path, folder: Path) -> None:
    """Unpack the GGUF file once, so that no run has to."""
    from saferec_core.config.sections import ModelConfig
    from saferec_core.models.loading import load_policy

    policy = load_policy(str(gguf), ModelConfig(dtype="float32"))
    policy.model.save_pretrained(folder)
    policy.tokenizer.save_pretrained(folder)


def together(commands: dict[str, Sequence[object]], results: Path, left: Callable[[], float]) -> int:
    """Run commands side by side until all end or no time is left; return how many failed."""
    processes = {}
    for name, command in commands.items():
        log = (results / f"{name}.log").open("w", encoding="utf-8")
        arguments = [sys.executable, "-m", "saferec_cli", *map(str, command)]
        # Elsewhere: a saferec in the folder that this is called from would win over the installed one.
        processes[name] = subprocess.Popen(arguments, stdout=log, stderr=subprocess.STDOUT, cwd=results)
    failed = 0
    for name, process in processes.items():
        try:
            status = process.wait(timeout=max(1.0, left()))
        except subprocess.TimeoutExpired:
            process.terminate()
            try:
                status = process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                status = process.wait()
            print(f"{name}: no time was left", flush=True)
        tail = (results / f"{name}.log").read_text(encoding="utf-8", errors="replace").splitlines()[-40:]
        print(f"===== {name}: exit status {status}, {left():.0f} s left", *tail, sep="\n", flush=True)
        failed += status not in (0, OUT_OF_TIME)
    return failed


def collect(results: Path) -> None:
    """Pack what was measured."""
    with tarfile.open(results / "study.tar.gz", "w:gz") as archive:
        for path in sorted(results.rglob("*")):
            if path.suffix in KEPT and path.is_file() and path.stat().st_size <= LARGEST:
                archive.add(path, path.relative_to(results))


if __name__ == "__main__":
    sys.exit(min(1, main()))
