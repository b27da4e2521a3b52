"""What a catalog and a table of risks cost a process: in memory, and mapped.

    python benchmarks/mapped_titles.py --titles 7400 1000000 5000000
    python benchmarks/mapped_titles.py --titles 7400 1000000 --objects

For each number of titles, made up, it prints the seconds to read catalog and table at first and again, the
memory that a process then has to itself (``RssAnon``, Linux; mapped pages are the system's, for all
processes), and the time of a look-up and of a verdict on titles drawn at random, none asked twice. With
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
from pathlib import Path

TRAITS = [f"trait {n}" for n in range(5)]
ASKED = 20_000


def main() -> None:
    """Print a row per number of titles."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--titles", type=int, nargs="+", default=[7_400, 1_000_000, 5_000_000])
    parser.add_argument("--objects", action="store_true", help="keep all titles as objects")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        measure(given.measure, objects=given.objects)
        return
    print("              catalog                                  table of risks")
    print("   titles     first s  again s  own MiB  look-up us    first s  again s  own MiB  verdict us")
    for number in given.titles:
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), number)
            flags = ["--objects"] if given.objects else []
            command = [sys.executable, __file__, "--measure", folder, *flags]
            environment = {**os.environ, "SAFEREC_CACHE": str(Path(folder) / "cache")}
            first, again = (
                json.loads(subprocess.run(command, check=True, capture_output=True, env=environment).stdout)
                for _ in range(2)
            )
            print(
                f"{number:9,}  "
                + "   ".join(
                    f"{first[what]['s']:10.1f} {again[what]['s']:8.2f} {again[what]['MiB']:8.1f} "
                    f"{again[what]['us']:11.1f}"
                    for what in ("catalog", "oracle")
                ),
                flush=True,
            )


def write(folder: Path, number: int) -> None:
    """Write a catalog and a table with a risk for each of its titles."""
    draws = random.Random(0)
    with (folder / "catalog.jsonl").open("w") as catalog, (folder / "oracle.jsonl").open("w") as oracle:
        for title in range(number):
            entry = {"title": f"The {draws.randrange(10**6):x} of {title:x}", "year": 1950 + title % 70}
            catalog.write(json.dumps({**entry, "id": f"tt{title:07}"}) + "\n")
            risk = {trait: round(draws.random(), 2) for trait in TRAITS}
            oracle.write(json.dumps({**entry, "risk": risk}) + "\n")


def measure(folder: Path, *, objects: bool) -> None:
    """Read both as a run does, and print what that took and what answers cost."""
    import gc

    import saferec_plugins.oracles.mapped_risks  # noqa: F401 - Arrow and NumPy do not count
    from saferec_core.data import catalog as catalogs
    from saferec_core.plugins.contracts.oracle import Question
    from saferec_plugins.oracles import risk_table
    from saferec_plugins.oracles.table import TableOracle

    if objects:
        catalogs.IN_MEMORY = risk_table.IN_MEMORY = sys.maxsize
    figures = {}
    before, began = own_memory(), time.perf_counter()
    catalog = catalogs.read_catalog(folder / "catalog.jsonl")
    gc.collect()
    figures["catalog"] = {"s": time.perf_counter() - began, "MiB": (own_memory() - before) / 2**20}
    number = len(catalog)
    asked = [catalog.titles[n] for n in random.Random(1).sample(range(number), min(ASKED, number))]
    began = time.perf_counter()
    assert all(catalog.find(*title) is not None for title in asked)
    figures["catalog"]["us"] = (time.perf_counter() - began) / len(asked) * 1e6

    before, began = own_memory(), time.perf_counter()
    oracle = TableOracle(path=folder / "oracle.jsonl")
    assert len(oracle.traits) == len(TRAITS)
    gc.collect()
    figures["oracle"] = {"s": time.perf_counter() - began, "MiB": (own_memory() - before) / 2**20}
    questions = [Question(*title, tuple(TRAITS[:2])) for title in asked]
    began = time.perf_counter()
    assert all(verdict.known is not None for verdict in oracle.judge(questions))
    figures["oracle"]["us"] = (time.perf_counter() - began) / len(asked) * 1e6
    print(json.dumps(figures))


def own_memory() -> int:
    """Return the bytes that this process shares with no file."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


if __name__ == "__main__":
    main()
