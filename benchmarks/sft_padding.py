"""Print how many tokens a sample of Safe SFT is padded to, in random order and grouped by length.

    python benchmarks/sft_padding.py

The demo's training records in batches of 16; a minute at most, nothing is trained.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from random import Random
from statistics import fmean

from saferec_core.demo.folder import write_demo
from saferec_core.training.trl.length_groups import LengthGroups

BATCH = 16


def padded(lengths: Sequence[int], order: Sequence[int]) -> float:
    """Return tokens of a sample, padding included, on average."""
    batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
    return sum(max(lengths[sample] for sample in batch) * len(batch) for batch in batches) / len(order)


def main() -> None:
    """Write the demo, count, and print."""
    from transformers import AutoTokenizer  # slow to import

    with tempfile.TemporaryDirectory() as folder:
        world = Path(folder) / "demo"
        world.mkdir()
        write_demo(world, seed=0)
        tokenizer = AutoTokenizer.from_pretrained(world / "model")
        rows = map(json.loads, (world / "train.jsonl").read_text(encoding="utf-8").splitlines())
        turns = [[*row["prompt"], *row["completion"]] for row in rows]
        texts = [tokenizer.apply_chat_template(turn, tokenize=False) for turn in turns]
        lengths = [len(tokenizer(text)["input_ids"]) for text in texts]
    order = list(range(len(lengths)))
    Random(0).shuffle(order)
    print(f"tokens of a sample: {fmean(lengths):.1f} on average, {max(lengths)} at most")
    print(f"padded in random order: {padded(lengths, order):.1f}")
    print(f"padded in groups by length: {padded(lengths, list(LengthGroups(lengths, BATCH, seed=0))):.1f}")


if __name__ == "__main__":
    main()
