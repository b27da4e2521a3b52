"""What guided decoding costs a token and row, and how long a user's mask takes to set up.

Titles are made up of words; lists of ten are drawn from a policy with random logits, which wanders through
the catalog more widely than a trained one does. The time of a step is the processor's on one thread, for
the mask and for taking the token drawn, without the model. A mask is set up for a user whose constraints
somebody had before (``seen again``), and for the first user with them (``first``), for whom the oracle
judges the whole catalog.

    python benchmarks/guided_decoding.py [--titles 7400] [--rows 32] [--json FILE]
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1")

import argparse
import json
import random
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from saferec_core.data.catalog import Catalog
from saferec_core.data.records import Record
from saferec_core.data.titles import Title
from saferec_core.models.guided.allowed import AllowedTitles
from saferec_core.models.guided.guide import Guide, build_guide
from saferec_core.models.guided.rows import GuidedRows
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.plugins.contracts.oracle import Oracle, Question, Verdict
from saferec_core.plugins.manager import load_plugins

torch.set_num_threads(1)

GOALS = {7_400: 0.05, 1_000_000: 0.2}
"""Milliseconds a token and row, by the number of titles."""


class Alternating(Oracle):
    """An oracle that knows every title and forbids every eighth."""

    traits = frozenset({"trait"})

    def judge(self, questions: Sequence[Question]) -> list[Verdict]:
        """Judge by the length of the name."""
        return [
            Verdict(
                known=True, risks={}, violated=question.constraints if len(question.name) % 8 == 0 else ()
            )
            for question in questions
        ]


def made_up_titles(count: int) -> list[Title]:
    """Return *count* different titles of one to five words."""
    draw = random.Random(0)
    words = ["".join(draw.choices("abcdefghilmnoprstuw", k=draw.randint(2, 9))) for _ in range(20_000)]
    titles: dict[Title, None] = {}
    while len(titles) < count:
        name = " ".join(draw.choices(words, k=draw.randint(1, 5))).title()
        titles[Title(name, draw.randint(1930, 2025))] = None
    return list(titles)


def tokenizer_of(titles: Sequence[Title]) -> Any:
    """Train a byte-level tokenizer of 32,000 tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=32_000,
        special_tokens=["<pad>", "<eos>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(map(str, titles[:100_000]), trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>")  # noqa: S106


def milliseconds_per_token(
    guide: Guide, allowed: AllowedTitles, records: Sequence[Record]
) -> tuple[float, int]:
    """Draw a list in every row; return the mean time of a step by row, and the number of steps."""
    rows = GuidedRows(guide, [allowed.of(record) for record in records])
    generator = torch.Generator().manual_seed(0)
    seconds = []
    while True:
        logits = torch.rand(len(records), guide.vocabulary, generator=generator)
        start = time.thread_time()
        mask = rows.mask(guide.vocabulary)
        seconds.append(time.thread_time() - start)
        tokens = logits.masked_fill(~mask, -1).argmax(1)
        start = time.thread_time()
        rows.advance(tokens)
        seconds[-1] += time.thread_time() - start
        if bool((rows.written >= rows.wanted).all()):
            return 1000 * statistics.mean(seconds) / len(records), len(seconds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--titles", type=int, default=7_400)
    parser.add_argument("--rows", type=int, default=32)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    titles = made_up_titles(chosen.titles)
    tokenizer = tokenizer_of(titles)
    catalog = Catalog(titles)
    list_parser = load_plugins().parsers.get("title-year").load()()
    start = time.thread_time()
    guide = build_guide(
        tokenizer, list_parser, catalog, num_ranks=10, end_ids=frozenset({tokenizer.eos_token_id})
    )
    build = time.thread_time() - start
    allowed = AllowedTitles(Judge(catalog, Alternating()))
    records = [
        Record(prompt=[], constraints=("trait",), seen_titles=tuple(random.Random(n).sample(titles, 20)))
        for n in range(chosen.rows)
    ]
    start = time.thread_time()
    GuidedRows(guide, [allowed.of(records[0])])
    first = time.thread_time() - start
    again = []
    for record in records:
        start = time.thread_time()
        allowed.of(record)
        again.append(time.thread_time() - start)
    step, steps = milliseconds_per_token(guide, allowed, records)
    figures = {
        "titles": chosen.titles,
        "rows": chosen.rows,
        "steps": steps,
        "ms_per_token_and_row": round(step, 4),
        "goal_ms_per_token_and_row": next(
            (goal for size, goal in GOALS.items() if chosen.titles <= size), None
        ),
        "ms_user_mask_seen_again": round(1000 * statistics.median(again), 3),
        "ms_user_mask_first": round(1000 * first, 1),
        "s_build": round(build, 2),
        "left_out": guide.left_out,
    }
    for name, value in figures.items():
        print(f"{name:28} {value}")
    if chosen.json:
        chosen.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
