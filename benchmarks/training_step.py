"""What the training part of a step costs against stock TRL on the same rollouts, shape by shape.

    python benchmarks/training_step.py [--pairs 4] [--minutes 10] [--shapes 1,7] [--json FILE]

On a machine without a GPU the network has about 30 million weights and times are the processor's, on one
thread, so that other work counts as little as possible; with a GPU it has the dimensions of Qwen2.5-0.5B.
Around one shape (prompt 512, list 200, G = 8) one dimension varies at a time. A step trains on one group on a
processor, on 96 completions on a GPU. The last two shapes sample as many tokens as well, so that *step* is
the whole one. Phases and what the trainers do are described in ``paired_steps.py``.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error")

import argparse
import gc
import json
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from paired_steps import Shape, Size, header, line, machine, make_world, measure, phase_table, write_model
from transformers.utils import logging

GOAL_TIME, GOAL_MEMORY = 0.5, 0.6
"""Training part and peak memory in those of TRL, at the shape in the middle."""

SMALL = Size(hidden=448, layers=8, intermediate=1216, heads=7, key_value_heads=7, vocabulary=32768)
QWEN = Size(hidden=896, layers=24, intermediate=4864, heads=14, key_value_heads=2, vocabulary=151936)


def shapes(cuda: bool) -> list[Shape]:
    """Return the shapes to measure, that in the middle first."""

    def shape(
        prompt: int = 512,
        listed: int = 200,
        group: int = 8,
        lora: int = 0,
        iterations: int = 1,
        *,
        generated: bool = False,
    ) -> Shape:
        rows = 96 if cuda else group
        micro = max(16, group) if cuda else group
        return Shape(prompt, listed, group, rows, micro, lora, iterations=iterations, generated=generated)

    return [
        shape(),
        shape(lora=32),
        shape(prompt=128),
        shape(prompt=1024),
        shape(listed=100),
        shape(group=4),
        shape(group=16),
        shape(iterations=2),
        shape(generated=True),
        shape(lora=32, generated=True),
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pairs", type=int, default=4, help="pairs of steps per shape")
    parser.add_argument("--minutes", type=float, default=10, help="time for all shapes together, about")
    parser.add_argument("--hidden", type=int, help="width of a network of the user's own size")
    parser.add_argument("--layers", type=int)
    parser.add_argument("--vocabulary", type=int)
    parser.add_argument("--shapes", help="measure only these, by number from 1, such as 1,7,8")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", FutureWarning)
    logging.disable_progress_bar()
    cuda = torch.cuda.is_available()
    size = QWEN if cuda else SMALL
    if chosen.hidden:
        heads = max(1, chosen.hidden // 64)
        size = Size(
            chosen.hidden, chosen.layers or 4, chosen.hidden * 8 // 3, heads, heads, chosen.vocabulary or 8192
        )
    dtype = "bfloat16" if cuda else "float32"
    wanted = shapes(cuda)
    if chosen.shapes:
        wanted = [wanted[int(number) - 1] for number in chosen.shapes.split(",")]
    start, results = time.perf_counter(), []
    for number, shape in enumerate(wanted):
        left = 60 * chosen.minutes - (time.perf_counter() - start)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            world = make_world(folder, shape, (chosen.pairs + 1) * shape.rows // shape.group)
            millions = write_model(folder / "model", world.tokenizer, size, getattr(torch, dtype))
            if not number:
                print(
                    f"{machine()}; {millions:.1f} M weights, vocabulary {size.vocabulary}\n\n{header()}",
                    flush=True,
                )
            result = measure(
                folder,
                world,
                shape,
                size.vocabulary,
                dtype,
                pairs=chosen.pairs,
                seconds=left / (len(wanted) - number),
                processor=not cuda,
                bf16=cuda,
            )
        results.append(result)
        print(line(result), flush=True)
        if chosen.json:
            content = {
                "machine": machine(),
                "size": vars(size),
                "results": [result.as_json() for result in results],
            }
            chosen.json.write_text(json.dumps(content, indent=1))
        del world
        gc.collect()
    for result in results:
        print(f"\n{result.shape}\n{phase_table(result)}")
    time_ratio = results[0].ratio(lambda phases: phases.training)[0]
    memory_ratio = results[0].ratio(lambda phases: phases.peak)[0]
    for what, ratio, goal in (("time", time_ratio, GOAL_TIME), ("peak memory", memory_ratio, GOAL_MEMORY)):
        print(f"goal {goal} of TRL's {what}: {'met' if ratio <= goal else 'missed'} ({ratio:.2f})")


if __name__ == "__main__":
    main()
