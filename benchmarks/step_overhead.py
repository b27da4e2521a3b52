"""What rank-level rewards, advantages and ratios add to a training step of stock TRL.

Compared are ``RankGRPOTrainer`` (relevance, safety and count, GDPO, weighting by ranks) and TRL's
``GRPOTrainer`` with one scalar reward per completion that costs nothing to compute, so that the whole
reward path counts as overhead. Both train the same weights on the same completions: sampling is
replaced by a list made beforehand. A step is scoring, advantages, forward, backward and optimizer;
there is no reference policy, which would be the same work for both. Steps alternate (A B, B A, ...), and
times are the processor's on one thread, so that other work on the machine counts as little as possible.
The interval is that of a bootstrap over the pairs (90 %). On a busy machine, where it is wide, a small
network (--hidden 64 --layers 1 --vocabulary 1024) shows the milliseconds that a step of ours adds.

    python benchmarks/step_overhead.py [--pairs 20] [--hidden 512] [--layers 6]
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error")

import argparse
import random
import statistics
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from reward_path import PROMPT, World
from trainer_pair import pair_of_trainers, write_qwen2
from transformers.utils import logging

from saferec_core.config.schema import TrainConfig

GOAL = 1.02
"""A step of ours in steps of TRL's."""

GROUP_SIZE = 4


def trainers(folder: Path, world: World, chosen: argparse.Namespace) -> tuple[Any, Any]:
    """Build both trainers on the same model and arguments: TRL's, ours."""
    heads = chosen.hidden // 64
    write_qwen2(
        folder / "model",
        world.tokenizer,
        vocab_size=chosen.vocabulary,  # larger than the tokenizer's
        hidden_size=chosen.hidden,
        intermediate_size=chosen.hidden * 8 // 3,
        num_hidden_layers=chosen.layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
    )
    config = TrainConfig.model_validate(
        {
            "num_ranks": 20,
            "kl_beta": 0.0,
            "rollout": {"num_generations": GROUP_SIZE},
            "optimization": {
                "optim": "adamw_torch",
                "per_device_train_batch_size": chosen.completions,
                "gradient_accumulation_steps": 1,
                "share_prefix": chosen.share_prefix,
            },
            "logging": {"save_strategy": "no"},
        }
    )
    both = pair_of_trainers(folder, world, config)
    for trainer in both:
        trainer.create_optimizer()
        trainer.current_gradient_accumulation_steps = 1
    return both


def step(trainer: Any, world: World, rows: Sequence[int]) -> tuple[float, float]:
    """Train on the completions of *rows*; return the seconds of the processor and of the clock."""
    completions = [world.ids[row] for row in rows]
    inputs = [{"prompt": PROMPT, "record": world.record_ids[row]} for row in rows]
    trainer._generate_single_turn = lambda *_: (completions, None)
    clock, processor = time.perf_counter(), time.process_time()
    trainer.training_step(trainer.model, inputs, num_items_in_batch=None)
    trainer.optimizer.step()
    trainer.optimizer.zero_grad()
    return time.process_time() - processor, time.perf_counter() - clock


def ratio_of_medians(pairs: Sequence[tuple[float, float]]) -> float:
    stock, ours = zip(*pairs, strict=True)
    return statistics.median(ours) / statistics.median(stock)


def report(name: str, pairs: Sequence[tuple[float, float]]) -> float:
    """Print the ratio of medians with the 90 % interval of its bootstrap."""
    rng = random.Random(2)
    drawn = sorted(ratio_of_medians(rng.choices(pairs, k=len(pairs))) for _ in range(2000))
    ratio = ratio_of_medians(pairs)
    stock, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(
        f"{name:<10} TRL {1000 * stock:8.1f} ms   saferec {1000 * ours:8.1f} ms   "
        f"difference {1000 * (ours - stock):+7.1f} ms   "
        f"ratio {ratio:.4f} ({drawn[100]:.4f} to {drawn[1899]:.4f})"
    )
    return ratio


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--completions", type=int, default=4, help="per step, in groups of 4")
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--vocabulary", type=int, default=8192)
    parser.add_argument("--listed", type=int, default=14, help="titles of a completion")
    parser.add_argument("--share-prefix", choices=("auto", "on", "off"), default="auto")
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", FutureWarning)
    logging.disable_progress_bar()

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        steps = chosen.pairs + 1
        world = World(
            folder,
            titles=4000,
            completions=steps * chosen.completions,
            seed=0,
            listed=chosen.listed,
            group_size=GROUP_SIZE,
        )
        both = trainers(folder, world, chosen)
        took = []
        for number in range(steps):
            rows = range(number * chosen.completions, (number + 1) * chosen.completions)
            times = [(0.0, 0.0), (0.0, 0.0)]
            for which in (0, 1) if number % 2 else (1, 0):
                times[which] = step(both[which], world, rows)
            if number:  # the first pair allocates what the others reuse
                took.append(times)
        size = sum(weights.numel() for weights in both[0].model.parameters()) / 1e6
        tokens = statistics.mean(map(len, world.ids))
        print(
            f"{size:.1f} M weights, {chosen.completions} completions of {tokens:.0f} tokens, "
            f"{len(took)} pairs of steps; load average {os.getloadavg()[0]:.1f}"
        )
        ratio = report("processor", [(stock[0], ours[0]) for stock, ours in took])
        report("clock", [(stock[1], ours[1]) for stock, ours in took])
        print(f"goal {GOAL} of the processor's time: {'met' if ratio <= GOAL else 'missed'}")


if __name__ == "__main__":
    main()
