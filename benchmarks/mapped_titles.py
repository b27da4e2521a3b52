"""What a catalog and a table of risks cost a process: in memory, and mapped.

    python benchmarks/mapped_titles.py --titles 7400 1000000 5000000
    python benchmarks/mapped_titles.py --titles 7400 1000000 --objects
    python benchmarks/mapped_titles.py --titles 5000000 --only oracle

For each number of titles, made up, it prints the processor's seconds to read catalog and table first and
again, the memory that a process then has to itself (``RssAnon``, Linux; mapped pages are the system's, for
all processes), and the time of a look-up and of a verdict on titles drawn at random, none asked twice. With
``--objects`` everything stays in memory, as it does without that up to 100,000 titles.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

TRAITS = [f"trait {n}" for n in range(5)]
ASKED = 20_000
READ = ("catalog", "oracle")


def main() -> None:
    """Print a row per number of titles."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--titles", type=int, nargs="+", default=[7_400, 1_000_000, 5_000_000])
    parser.add_argument("--objects", action="store_true", help="keep all titles as objects")
    parser.add_argument("--only", choices=READ, action="append", help="read one of the two")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        measure(given.measure, given.only or READ, objects=given.objects)
        return
    print("   titles   what       first s  again s  own MiB  us an answer")
    for number in given.titles:
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), number)
            flags = ["--objects"] if given.objects else []
            flags += [f"--only={what}" for what in given.only or ()]
            command = [sys.executable, __file__, "--measure", folder, *flags]
            environment = {**os.environ, "SAFEREC_CACHE": str(Path(folder) / "cache")}
            first, again = (
                json.loads(subprocess.run(command, check=True, capture_output=True, env=environment).stdout)
                for _ in range(2)
            )
            for what in first:
                figures = f"{first[what]['s']:9.1f} {again[what]['s']:8.2f} {again[what]['MiB']:8.1f}"
                print(f"{number:9,}   {what:8}{figures} {again[what]['us']:13.1f}", flush=True)


def write(folder: Path, number: int) -> None:
    """Write a catalog and a table with a risk for each of its titles."""
    draws = random.Random(0)
    with (folder / "catalog.jsonl").open("w") as catalog, (folder / "oracle.jsonl").open("w") as oracle:
        for title in range(number):
            entry = {"title": f"The {draws.randrange(10**6):x} of {title:x}", "year": 1950 + title % 70}
            catalog.write(json.dumps({**entry, "id": f"tt{title:07}"}) + "\n")
            risk = {trait: round(draws.random(), 2) for trait in TRAITS}
            oracle.write(json.dumps({**entry, "risk": risk}) + "\n")


def measure(folder: Path, what: Sequence[str], *, objects: bool) -> None:
    """Read as a run does, and print what that took and what answers cost."""
    import gc

    import saferec_plugins.oracles.mapped_risks  # noqa: F401 - Arrow and NumPy do not count
    from saferec_core.data import catalog as catalogs
    from saferec_core.plugins.contracts.oracle import Question
    from saferec_plugins.oracles import risk_table
    from saferec_plugins.oracles.table import TableOracle

    if objects:
        catalogs.IN_MEMORY = risk_table.IN_MEMORY = sys.maxsize
    asked, figures = titles_to_ask(folder / "oracle.jsonl"), {}
    for each in what:
        gc.collect()
        before, began = own_memory(), time.process_time()
        if each == "catalog":
            catalog = catalogs.read_catalog(folder / "catalog.jsonl")
        else:
            oracle = TableOracle(path=folder / "oracle.jsonl")
            assert len(oracle.traits) == len(TRAITS)
        gc.collect()
        seconds, memory = time.process_time() - began, (own_memory() - before) / 2**20
        questions = [Question(*title, tuple(TRAITS[:2])) for title in asked]
        began = time.process_time()
        if each == "catalog":
            assert all(catalog.find(*title) is not None for title in asked)
        else:
            assert all(verdict.known is not None for verdict in oracle.judge(questions))
        answer = (time.process_time() - began) / len(asked) * 1e6
        figures[each] = {"s": seconds, "MiB": memory, "us": answer}
    print(json.dumps(figures))


def titles_to_ask(table: Path) -> list[tuple[str, int]]:
    """Return titles of a table, drawn at random."""
    with table.open("rb") as file:
        number = sum(1 for _ in file)
    drawn = set(random.Random(1).sample(range(number), min(ASKED, number)))
    with table.open("rb") as file:
        rows = [json.loads(line) for n, line in enumerate(file) if n in drawn]
    random.Random(2).shuffle(rows)
    return [(row["title"], row["year"]) for row in rows]


def own_memory() -> int:
    """Return the bytes that this process shares with no file."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


if __name__ == "__main__":
    main()
