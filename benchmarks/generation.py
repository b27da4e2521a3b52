"""What sampling the completions of a step takes: stock, with prompts computed once, and compiled.

    python benchmarks/generation.py [--minutes 4] [--only TEXT] [--out FOLDER] [--tiny]

The trainer of saferec generates 96 completions of 275 tokens for 12 prompts, with the weights of
``gpu_step.py``: random ones, which hardly ever end a completion. With ``--ending 0.01`` every token ends its
completion with that probability, so that rows leave. On a GPU, decoding is compiled as well
(``--compile-decoding``). Results are printed and written to FOLDER (``generation.json``) as soon as they are
known.
"""

from __future__ import annotations

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

import argparse
import gc
import json
import tempfile
import time
import traceback
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from gpu_step import QWEN, REFERENCE, TINY
from paired_steps import Shape, machine, make_world, prompts_for, trainers, write_model
from transformers.utils import logging

from saferec_core.models.compiled_decoding import decode_compiled


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--minutes", type=float, default=4.0, help="begin nothing new after so long")
    parser.add_argument("--out", type=Path, default=Path("generation"), help="folder for the results")
    parser.add_argument("--runs", type=int, default=2, help="timed batches after the first")
    parser.add_argument("--ending", type=float, default=0.01, help="probability of an end, in its own rows")
    parser.add_argument("--only", default="", help="measure only settings whose row holds this text")
    parser.add_argument("--tiny", action="store_true", help="a tiny network and short texts")
    chosen = parser.parse_args(arguments)
    warnings.simplefilter("ignore", FutureWarning)
    logging.disable_progress_bar()
    cuda = torch.cuda.is_available()
    size, shape = QWEN, replace(REFERENCE, lora=0)
    if chosen.tiny:
        size, shape = TINY, replace(shape, prompt=64, listed=40, rows=16, micro=16)
    dtype = "bfloat16" if cuda else "float32"
    chosen.out.mkdir(parents=True, exist_ok=True)
    start, results = time.perf_counter(), []
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        world = make_world(folder, shape, shape.rows // shape.group)
        write_model(folder / "model", world.tokenizer, size, getattr(torch, dtype))
        settings = [(0.0, "off", False), (0.0, "on", False), (chosen.ending, "off", False)]
        settings += [(chosen.ending, "on", False)]
        settings += [(0.0, "off", True), (0.0, "on", True)] if cuda else []
        for ending, share, compiled in settings:
            if time.perf_counter() - start > 60 * chosen.minutes:
                print("left out: no time left", flush=True)
                break
            label = (
                f"share_prefix {share}, ending {ending:g} a token{', compiled' if compiled else ''}, "
                f"{shape.rows} x {shape.listed} tokens"
            )
            if chosen.only not in label:
                continue
            try:
                _, trainer = trainers(folder, world, shape, dtype, share_prefix=share, bf16=cuda)
                took, lengths = timed(trainer, shape, size.vocabulary, ending, compiled, chosen.runs)
            except Exception as error:  # noqa: BLE001 - the others are to be measured anyway
                results.append({"setting": label, "failure": traceback.format_exc()})
                print(f"FAILED {label}: {type(error).__name__}: {str(error)[:500]}", flush=True)
            else:
                results.append({"setting": label, "seconds": took, "mean_length": lengths})
                rounded = ", ".join(f"{seconds:.2f}" for seconds in took)
                print(f"{label}: {rounded} s, mean length {lengths:.0f}", flush=True)
            trainer = None
            gc.collect()
            if cuda:
                torch.cuda.empty_cache()
            (chosen.out / "generation.json").write_text(
                json.dumps({"machine": machine(), "results": results}, indent=1) + "\n"
            )


def timed(
    trainer: Any, shape: Shape, vocabulary: int, ending: float, compiled: bool, runs: int
) -> tuple[list[float], float]:
    """Return the seconds of the first batch and of those after it, and the mean length of completions."""
    config = trainer.generation_config
    config.max_new_tokens = shape.listed
    if compiled:
        decode_compiled(trainer.bare_policy, config)
    if ending:
        # About as many end tokens as give that probability under random weights.
        config.eos_token_id = list(range(vocabulary - max(1, round(ending * vocabulary)), vocabulary))
        trainer.eos_token_ids = config.eos_token_id
    prompts = prompts_for([row // shape.group for row in range(shape.rows)], shape.prompt, vocabulary)
    took, written = [], []
    for _ in range(runs + 1):
        torch.manual_seed(0)
        begin = time.perf_counter()
        written, _ = trainer._generate_single_turn(prompts, None, {}, shape.group)
        took.append(time.perf_counter() - begin)  # the ids have been copied to the processor
    return took, sum(map(len, written)) / len(written)


if __name__ == "__main__":
    main()
