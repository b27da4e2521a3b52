"""How long every metric takes for 40,000 lists of 20 titles at 5 values of K, on one core.

*judging* is what all metrics share: looking the titles up in a catalog of 4,000, matching them with
the ground truth (8 titles each, 8 lists to a prompt), and asking the table oracle under one of four
constraints. *measuring* is the metrics by themselves, all built-in ones, popularity and catalog
coverage included. The lists are parsed beforehand; the first repetition meets every title for the
first time, the others are those of further evaluations in one process. Times are the processor's, so
that other work on the machine counts as little as possible.

    python benchmarks/metrics.py [--lists 40000] [--repeats 3]
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import argparse
import json
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from reward_path import TRAITS, made_up_titles

from saferec_core import load_plugins
from saferec_core.data.catalog import Catalog
from saferec_core.data.records import Record
from saferec_core.data.titles import Title
from saferec_core.evaluation.measure import build_metrics, measure, measure_whole
from saferec_core.evaluation.popularity import popularity_percentiles
from saferec_core.plugins.build import build
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.contracts.parser import ParsedItem, ParsedList

GOAL = 3.0
"""Seconds, judging and measuring together."""

NUM_RANKS = 20
AT = (1, 3, 5, 10, 20)
GROUP_SIZE = 8
NUM_RELEVANT = 8


def parsed(titles: Sequence[Title]) -> ParsedList:
    """Write a list as a parser would; each name is a string of its own, as if cut out of a text."""
    return ParsedList(tuple(ParsedItem(f"{name} "[:-1], year, 0, 1, 1) for name, year in titles))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--lists", type=int, default=40_000)
    parser.add_argument("--titles", type=int, default=4000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    torch.set_num_threads(1)

    rng = random.Random(chosen.seed)
    titles = made_up_titles(chosen.titles, rng)
    lists = [parsed(rng.sample(titles, NUM_RANKS)) for _ in range(chosen.lists)]
    plugins = load_plugins()
    metrics = build_metrics(plugins)
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "oracle.jsonl"
        with table.open("w", encoding="utf-8") as file:
            for name, year in titles:
                risk = {trait: round(rng.random(), 2) for trait in TRAITS}
                file.write(json.dumps({"title": name, "year": year, "risk": risk}) + "\n")
        oracle = build(plugins.oracles.get("table"), {"path": table})
        assert oracle.traits == set(TRAITS)  # read now, not while the clock runs
    catalog = Catalog(titles)

    def prompts() -> list[Record]:
        """Make records that have met nothing yet."""
        drawn = random.Random(chosen.seed)
        return [
            Record(
                prompt=[],
                groundtruth=tuple(drawn.sample(titles, NUM_RELEVANT)),
                constraints=(drawn.choice(TRAITS),),
            )
            for _ in range(-(-chosen.lists // GROUP_SIZE))
        ]

    judge = Judge(catalog, oracle, popularity_percentiles(catalog, prompts()))
    print(f"{chosen.lists} lists of {NUM_RANKS} titles out of {chosen.titles}, K in {AT}")
    print(f"{len(metrics)} metrics; load average {os.getloadavg()[0]:.1f}")
    print("judging s   measuring s   together s")
    worst = 0.0
    for _ in range(chosen.repeats):
        asked = prompts()
        judged = JudgedLists(lists, [asked[n // GROUP_SIZE] for n in range(len(lists))], judge, NUM_RANKS)
        start = time.thread_time()
        _ = judged.in_catalog, judged.hits, judged.violations, judged.known
        between = time.thread_time()
        measured = {**measure(judged, AT, metrics), **measure_whole(judged, AT, metrics)}
        end = time.thread_time()
        worst = max(worst, end - start)
        print(f"{between - start:9.2f} {end - between:13.2f} {end - start:12.2f}")
    print(f"{len(measured)} columns; goal {GOAL} s for 40,000 lists: {'met' if worst <= GOAL else 'missed'}")


if __name__ == "__main__":
    main()
