"""How much memory the records of a run take, by their number: kept as objects, and mapped from a file.

    python benchmarks/record_memory.py --records 10000 100000 1000000
    python benchmarks/record_memory.py --records 10000 100000 1000000 --short

Every number is measured in two processes, one after the other: the first on a machine that reads a JSONL file
of that many records as a run does, and a later one, which maps what the first has written. Each fits the
prompts, draws their order and goes through half of them, 100,000 at most. What is printed is memory that a
process has to itself (``RssAnon``, Linux), beyond the libraries; pages of the mapped file are the system's,
and given back when others need them. Seconds are the processor's.
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
from array import array
from itertools import islice
from pathlib import Path

SEEN, TURNS, WORDS = 20, 4, 20
MOST_ACCESSES = 100_000
WIDTHS = (12, 10, 16, 8, 14, 16, 8)


def main() -> None:
    """Print a row per number of records."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--objects", action="store_true", help="keep all records as objects")
    parser.add_argument("--short", action="store_true", help="one short turn and one seen title a record")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        measure(given.measure, objects=given.objects)
        return
    titles = ("records", "file MiB", "first: own MiB", "read s", "an access us", "later: own MiB", "read s")
    print(*(f"{title:>{width}}" for title, width in zip(titles, WIDTHS, strict=True)))
    for number in given.records:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "records.jsonl"
            write(path, number, *((1, 1, 1) if given.short else (SEEN, TURNS, WORDS)))
            flags = ["--objects"] if given.objects else []
            command = [sys.executable, __file__, "--measure", str(path), *flags]
            environment = {**os.environ, "SAFEREC_CACHE": folder}
            first, later = (
                json.loads(
                    subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment).stdout
                )
                for _ in range(2)
            )
            size = path.stat().st_size / 2**20
            figures = (size, first["memory"], first["read"], first["access"], later["memory"], later["read"])
            row = (f"{number:,}", *(f"{figure:.1f}" for figure in figures))
            print(*(f"{cell:>{width}}" for cell, width in zip(row, WIDTHS, strict=True)), flush=True)


def write(path: Path, number: int, seen: int, length: int, words: int) -> None:
    """Write records of conversations, each with so many seen titles and turns."""
    draws = random.Random(0)
    with path.open("w", encoding="utf-8") as file:
        for record in range(number):
            turns = [
                {
                    "role": ("user", "assistant")[turn % 2],
                    "content": f"{record} {turn} " + "some words " * words,
                }
                for turn in range(length)
            ]
            row = {
                "prompt": turns,
                "groundtruth_with_release_year": [[f"Film {draws.randrange(10**6)}", 1990 + record % 30]],
                "seen_titles": [f"Film {draws.randrange(10**6)} ({1990 + n})" for n in range(seen)],
                "constraints": ["gore"],
            }
            file.write(json.dumps(row) + "\n")


def measure(path: Path, *, objects: bool) -> None:
    """Read the file as a run does, and print what that took."""
    from saferec_core.data import mapped_rows
    from saferec_core.data.record_files import read_records
    from saferec_core.data.truncate import fit_records
    from saferec_core.training.trl.prompt_dataset import prompt_dataset
    from saferec_core.training.trl.prompt_order import TensorSampler

    if objects:
        mapped_rows.IN_MEMORY = sys.maxsize
    before, began = own_memory(), time.process_time()
    records = read_records(path, needs={})
    fitted = fit_records(records, 10**6, lambda some: array("i", [1]) * len(some)).records
    dataset = prompt_dataset(fitted)
    read = time.process_time() - began
    order = TensorSampler(dataset, mini_repeat_count=1, batch_size=8, seed=1)
    accesses = min(len(fitted) // 2, MOST_ACCESSES)
    began = time.process_time()
    for position in islice(order, accesses):
        assert dataset[position]["prompt"]
    access = (time.process_time() - began) / accesses * 1e6
    print(json.dumps({"memory": (own_memory() - before) / 2**20, "read": read, "access": access}))


def own_memory() -> int:
    """Return the bytes that this process shares with no file."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


if __name__ == "__main__":
    main()
