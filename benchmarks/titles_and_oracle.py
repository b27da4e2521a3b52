"""What titles by the million and an oracle file cost.

    python benchmarks/titles_and_oracle.py

Prints how many titles a second a map of a million names answers in batches, beside one dictionary
look-up per title in the same run; then how long an oracle of 25,000 titles and 20 traits with a map
of a million names takes to open, and what it adds to a process's memory.
"""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from saferec_core.data.title_map import TitleMap
from saferec_core.data.titles import Title, TitleIndex
from saferec_core.data.traits import read_traits
from saferec_core.oracle_files.format import OracleTitle, write_oracle_file
from saferec_core.plugins.contracts.oracle import Evidence

NAMES, TITLES, QUERIES = 1_000_000, 25_000, 300_000
ROUNDS = 5

OPEN = """
import sys, time
import psutil, pyarrow, numpy, xxhash, pyarrow.compute
from saferec_core.plugins.contracts.oracle import Question
from saferec_plugins.oracles.table import TableOracle
process = psutil.Process()
before = process.memory_info().rss
began = time.perf_counter()
oracle = TableOracle(path=sys.argv[1])
traits = tuple(oracle.traits)
opened = time.perf_counter() - began
questions = [Question(f"Name {n} of many", 1990 + n % 30, traits[:2]) for n in range(0, 1_000_000, 97)]
known = sum(verdict.known for verdict in oracle.judge(questions))
print(opened, (process.memory_info().rss - before) / 2**20, known)
"""


def main() -> None:
    titles = [Title(f"Name {n} of many", 1990 + n % 30) for n in range(NAMES)]
    began = time.perf_counter()
    names = TitleMap.of(titles, [n % TITLES for n in range(NAMES)])
    print(f"map of {len(names):,} names built in {time.perf_counter() - began:.1f} s")

    rng = random.Random(0)
    asked = [titles[rng.randrange(NAMES)] for _ in range(QUERIES)]
    index = TitleIndex(titles)
    batched, single = [], []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        positions = names.find_many([name for name, _ in asked], [year for _, year in asked], tolerance=2)
        batched.append(QUERIES / (time.perf_counter() - began))
        began = time.perf_counter()
        one_by_one = [index.find(name, year, tolerance=2) for name, year in asked]
        single.append(QUERIES / (time.perf_counter() - began))
        assert positions.tolist() == [position % TITLES for position in one_by_one if position is not None]
    batched.sort()
    single.sort()
    middle = ROUNDS // 2
    print(
        f"titles a second, batches of {QUERIES:,}: median {batched[middle]:,.0f}, best {batched[-1]:,.0f} "
        f"(goal 300,000); {batched[middle] / single[middle]:.2f} times a dictionary's, title by title"
    )
    del index
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "oracle.arrow"
        write_oracle(path, titles)
        print(f"oracle file: {path.stat().st_size / 2**20:.0f} MB")
        for _ in range(3):
            printed = subprocess.run(
                [sys.executable, "-c", OPEN, str(path)], capture_output=True, text=True, check=True
            ).stdout.split()
            milliseconds, megabytes, known = float(printed[0]) * 1000, float(printed[1]), int(printed[2])
            print(
                f"opened in {milliseconds:.0f} ms (goal 300); {megabytes:.0f} MB more after {known:,} answers"
                " (goal 60)"
            )


def write_oracle(path: Path, names: list[Title]) -> None:
    """Write an oracle of so many titles that each has forty names."""
    traits = list(read_traits())
    rng = random.Random(1)
    titles = []
    for number in range(TITLES):
        judged = tuple(
            Evidence(trait, round(rng.random(), 2), "made up", "for a benchmark") for trait in traits
        )
        titles.append(OracleTitle(names[number], judged, tuple(names[number + TITLES :: TITLES])))
    write_oracle_file(path, titles, traits, {})


if __name__ == "__main__":
    main()
