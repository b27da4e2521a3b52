"""How long it takes to turn sampled token ids into rewards by rank, per completion and on one core.

What is timed is ``RolloutScorer``: decoding token ids, parsing the list, assigning tokens to ranks,
asking the oracle, and the rewards relevance, safety and count. Every completion lists 20 different
titles of a catalog of a few thousand, written in byte-level BPE pieces (about 9 tokens a line); its
record has 8 relevant titles and one constraint; the oracle is a table of the whole catalog.

*warm* is the state of a training run: titles, tokens and records have been met before. *cold* is the
first batch of a process: every line, title and token is met for the first time, each time among titles that
no earlier call has seen (what is read from disk is read beforehand). Times are the processor's, so that
other work on the machine counts as little as possible.

    python benchmarks/reward_path.py [--completions 256] [--repeats 15]
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import gc
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import torch

from saferec_core import load_plugins
from saferec_core.data.catalog import Catalog
from saferec_core.data.records import Record
from saferec_core.data.titles import Title, normal_form
from saferec_core.demo.model import train_tokenizer
from saferec_core.models.decoding import TokenAligner
from saferec_core.plugins.build import build
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.contracts.parser import parse_all
from saferec_core.rl.ranks import assign_ranks
from saferec_core.rl.rewards import ActiveReward, score
from saferec_core.rl.rollouts import RolloutScorer

GOAL = 0.1
"""Milliseconds per completion."""

NUM_RANKS = 20
NUM_RELEVANT = 8
PROMPT = [{"role": "user", "content": "Something gripping, but no violence. " * 4}]
TRAITS = ("violence", "horror", "nudity", "substances")

CONSONANTS, VOWELS, ENDINGS = "bcdfghjklmnprstvwz", "aeiou", ("", "", "n", "r", "s", "l")
JOINTS = (" ", " ", " ", " of ", " and ", " the ", ": ", "'s ", "-")


def made_up_titles(number: int, rng: random.Random) -> list[Title]:
    """Invent titles of one to four words, some with an article, a colon, an apostrophe or an accent."""
    syllables = [c + v + rng.choice(ENDINGS) for c in CONSONANTS for v in VOWELS]
    words = ["".join(rng.choices(syllables, k=rng.choice((1, 2, 2, 3)))).capitalize() for _ in range(900)]
    titles: dict[Title, None] = {}
    while len(titles) < number:
        name = rng.choice(words)
        for _ in range(rng.choice((0, 1, 1, 2))):
            name += rng.choice(JOINTS) + rng.choice(words)
        if rng.random() < 0.25:
            name = f"The {name}"
        if rng.random() < 0.04:
            name = name.replace("e", "é", 1)
        titles[Title(name, rng.randint(1930, 2024))] = None
    return list(titles)


class World:
    """Catalog, oracle table, tokenizer, and completions with their records."""

    def __init__(
        self,
        folder: Path,
        *,
        titles: int,
        completions: int,
        seed: int,
        listed: int = NUM_RANKS,
        group_size: int = 8,
    ) -> None:
        """Make everything up from *seed*; the table is written to *folder*.

        Args:
            folder: Where the oracle's table goes.
            titles: Size of the catalog.
            completions: How many completions there are, siblings adjacent.
            seed: Decides everything.
            listed: Titles that a completion lists.
            group_size: Completions per record.
        """
        rng = random.Random(seed)
        self.titles = made_up_titles(titles, rng)
        self.table = folder / "oracle.jsonl"
        with self.table.open("w", encoding="utf-8") as file:
            for name, year in self.titles:
                risk = {trait: round(rng.random(), 2) for trait in TRAITS}
                file.write(json.dumps({"title": name, "year": year, "risk": risk}) + "\n")
        lines = [f"{title}\n" for title in self.titles]
        self.tokenizer = train_tokenizer(lines, [], vocab_size=800)
        self.plugins = load_plugins()
        texts = ["\n".join(map(str, rng.sample(self.titles, listed))) for _ in range(completions)]
        end = self.tokenizer.eos_token_id
        encoded = self.tokenizer(texts, add_special_tokens=False)["input_ids"]
        self.ids: list[list[int]] = [[*ids, end] for ids in encoded]
        self.record_ids = [row // group_size for row in range(completions)]
        self._truths = [rng.sample(self.titles, NUM_RELEVANT) for _ in range(self.record_ids[-1] + 1)]
        self._traits = [rng.choice(TRAITS) for _ in self._truths]

        self.tokens_per_line = statistics.mean(map(len, self.ids)) / listed

    def scorer(self) -> RolloutScorer:
        """Build a scorer that has met nothing yet, but has read what is to be read."""
        oracle = build(self.plugins.oracles.get("table"), {"path": self.table})
        judge = Judge(Catalog(self.titles), oracle)
        for trait in TRAITS:
            judge.base_rate((trait,))
        oracle.__dict__.pop("_answers", None)
        options: dict[str, dict[str, Any]] = {"relevance": {}, "safety": {}, "count": {"target": NUM_RANKS}}
        rewards = [
            ActiveReward(name, build(self.plugins.rewards.get(name), chosen), 1.0)
            for name, chosen in options.items()
        ]
        records = [
            Record(prompt=PROMPT, groundtruth=tuple(truth), constraints=(trait,))
            for truth, trait in zip(self._truths, self._traits, strict=True)
        ]
        normal_form.cache_clear()
        return RolloutScorer(
            records=records,
            parser=build(self.plugins.parsers.get("title-year"), {}),
            judge=judge,
            rewards=rewards,
            num_ranks=NUM_RANKS,
            aligner=TokenAligner(self.tokenizer),
            end_ids=frozenset({int(self.tokenizer.eos_token_id)}),
        )


def seconds(call: Callable[[], Any]) -> tuple[float, Any]:
    start = time.thread_time()
    result = call()
    return time.thread_time() - start, result


def measure(scorer: RolloutScorer, world: World) -> dict[str, float]:
    """Time each part of a scorer's call in the order in which they come, on the same objects."""
    took: dict[str, float] = {}
    took["decode"], decoded = seconds(lambda: scorer.aligner.decode_all(world.ids))
    took["parse"], parsed = seconds(
        lambda: parse_all(scorer.parser, [text for text, _ in decoded], [True] * len(decoded))
    )
    took["assign ranks"], _ = seconds(
        lambda: assign_ranks([starts for _, starts in decoded], parsed, NUM_RANKS)
    )
    records = [scorer.records[position] for position in world.record_ids]
    judged = JudgedLists(parsed, records, scorer.judge, NUM_RANKS)
    took["oracle"], _ = seconds(lambda: (judged.violations, judged.known, judged.base_rates))
    took["catalog"], _ = seconds(lambda: judged.in_catalog)
    took["hits"], _ = seconds(lambda: judged.hits)
    took["rewards"], _ = seconds(lambda: score(scorer.rewards, judged))
    return took


def repeated(make: Callable[[], tuple[RolloutScorer, World]], repeats: int) -> dict[str, list[float]]:
    """Time the whole call and its parts, each with a scorer of *make*; milliseconds per completion."""
    rows: dict[str, list[float]] = {}
    for _ in range(repeats):
        parts = measure(*make())
        scorer, world = make()
        gc.collect()
        gc.freeze()
        whole, _ = seconds(lambda scorer=scorer, world=world: scorer(world.ids, world.record_ids))
        for name, took in {"whole call": whole, **parts}.items():
            rows.setdefault(name, []).append(1000 * took / len(world.ids))
    return rows


def table(name: str, rows: dict[str, list[float]]) -> None:
    whole = statistics.median(rows["whole call"])
    print(f"\n{name:<14}  median ms   best ms   share")
    for part, took in rows.items():
        median = statistics.median(took)
        share = "" if part == "whole call" else f"{median / whole:7.0%}"
        print(f"{part:<14}  {median:9.4f} {min(took):9.4f} {share}")
    if name == "warm":
        print(f"goal {GOAL} ms per completion: {'met' if whole <= GOAL else 'missed'}")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--completions", type=int, default=256)
    parser.add_argument("--titles", type=int, default=4000)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)

    with tempfile.TemporaryDirectory() as folder:
        seeds = count(chosen.seed)

        def new() -> tuple[RolloutScorer, World]:
            made = World(Path(folder), titles=chosen.titles, completions=chosen.completions, seed=next(seeds))
            return made.scorer(), made

        scorer, world = new()
        print(
            f"{chosen.completions} completions of {NUM_RANKS} titles out of {chosen.titles}, "
            f"{world.tokens_per_line:.1f} tokens a line; load average {os.getloadavg()[0]:.1f}"
        )
        scorer(world.ids, world.record_ids)
        table("warm", repeated(lambda: (scorer, world), chosen.repeats))
        table("cold", repeated(new, max(3, chosen.repeats // 5)))


if __name__ == "__main__":
    main()
