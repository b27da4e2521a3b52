"""What the data pipeline costs: dialogues a minute, memory by the number of dialogues.

    python benchmarks/data_pipeline.py [--dialogues 100000] [--num-proc 2]

Made-up dialogues in ReDial's official form run through the whole chain, offline assigner included,
by the command a user gives. Then a quarter of them, so that the memory of both can be compared.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
import yaml

TITLES, TRAITS = 7_400, 20
STEPS = (
    {"name": "from-redial"},
    {"name": "map-titles"},
    {"name": "split"},
    {"name": "draw-traits"},
    {"name": "filter-ground-truth"},
    {"name": "filter-samples"},
    {"name": "inject-constraints"},
    {"name": "build-targets"},
    {"name": "to-dataset"},
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dialogues", type=int, default=100_000)
    parser.add_argument("--num-proc", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        titles = make_world(folder)
        figures = [
            run(folder, titles, dialogues, arguments.num_proc)
            for dialogues in (arguments.dialogues // 4, arguments.dialogues)
        ]
    (few, _, few_memory), (many, seconds, memory) = figures
    print(f"memory of {many:,} dialogues over that of {few:,}: {memory / few_memory:.2f} (flat: 1)")
    print(f"{many:,} dialogues in {seconds:.0f} s on {arguments.num_proc} processes (goal: 100,000 in 180 s)")


def make_world(folder: Path) -> list[tuple[str, int]]:
    """Write a catalog and an oracle, and return the titles."""
    from saferec_core.data.traits import read_traits

    rng = random.Random(0)
    syllables = [a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "an", "er", "ol")]
    titles = []
    for number in range(TITLES):
        words = (
            "".join(rng.choices(syllables, k=rng.randint(1, 3))).title() for _ in range(rng.randint(1, 4))
        )
        titles.append((f"{' '.join(words)} {number}", rng.randint(1950, 2023)))
    traits = list(read_traits())
    with (folder / "catalog.jsonl").open("w") as catalog, (folder / "oracle.jsonl").open("w") as oracle:
        for title, year in titles:
            risk = {trait: round(rng.random() ** 3, 2) for trait in traits}
            catalog.write(json.dumps({"title": title, "year": year}) + "\n")
            if rng.random() < 0.7:
                oracle.write(json.dumps({"title": title, "year": year, "risk": risk}) + "\n")
    return titles


def write_dialogues(path: Path, titles: list[tuple[str, int]], number: int) -> None:
    """Write dialogues of ten turns that name five or six films of one neighborhood.

    They give 2.5 samples each, as ReDial's do.
    """
    rng = random.Random(1)
    chat = (
        "I am looking for something to watch with friends tonight.",
        "I liked that one a lot, the story stayed with me for days.",
        "Have you seen it already, or shall I think of another?",
        "That sounds good, I will put it on my list, what else is there?",
    )
    with path.open("w") as file:
        for dialogue in range(number):
            center = rng.randrange(TITLES)
            films = [(center + step) % TITLES for step in rng.sample(range(60), rng.choice((5, 6)))]
            mentions = {str(film): "{} ({})".format(*titles[film]) for film in films}
            messages, answers = [], {}
            for turn in range(10):
                seeker = turn % 2 == 0
                film = films[turn] if turn < len(films) else None
                text = rng.choice(chat) + (f" @{film}" if film is not None else "")
                messages.append({"messageId": turn, "text": text, "senderWorkerId": 0 if seeker else 1})
                if film is not None:
                    answers[str(film)] = {"suggested": int(not seeker), "seen": int(seeker), "liked": 1}
            row = {
                "conversationId": str(dialogue),
                "initiatorWorkerId": 0,
                "respondentWorkerId": 1,
                "messages": messages,
                "movieMentions": mentions,
                "initiatorQuestions": answers,
                "respondentQuestions": answers,
            }
            file.write(json.dumps(row) + "\n")


def run(
    folder: Path, titles: list[tuple[str, int]], dialogues: int, num_proc: int
) -> tuple[int, float, float]:
    """Run the chain on so many dialogues; return their number, seconds and peak memory in MB."""
    write_dialogues(folder / f"{dialogues}.jsonl", titles, dialogues)
    chain = {
        "input": str(folder / f"{dialogues}.jsonl"),
        "output": str(folder / f"out-{dialogues}"),
        "cache_dir": str(folder / f"cache-{dialogues}"),
        "catalog_path": str(folder / "catalog.jsonl"),
        "oracle": {"name": "table", "path": str(folder / "oracle.jsonl")},
        "num_proc": num_proc,
        "steps": list(STEPS),
    }
    (folder / "chain.yaml").write_text(yaml.safe_dump(chain))
    began = time.perf_counter()
    command = [sys.executable, "-m", "saferec_cli", "data", "build", str(folder / "chain.yaml")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
    peak = [0.0]
    watcher = threading.Thread(target=watch, args=(process.pid, peak), daemon=True)
    watcher.start()
    if process.wait() != 0:
        sys.exit("the chain failed")
    seconds = time.perf_counter() - began
    rows = sum(
        step["written"]
        for step in json.loads((folder / f"out-{dialogues}" / "manifest.json").read_text())["steps"][-1:]
    )
    print(f"{dialogues:,} dialogues: {rows:,} samples in {seconds:.1f} s, {peak[0]:.0f} MB at most")
    return dialogues, seconds, peak[0]


def watch(pid: int, peak: list[float]) -> None:
    """Note the largest memory of a process and its children together."""
    try:
        process = psutil.Process(pid)
        while process.is_running():
            family = [process, *process.children(recursive=True)]
            peak[0] = max(peak[0], sum(member.memory_info().rss for member in family) / 2**20)
            time.sleep(0.1)
    except psutil.Error:
        return


if __name__ == "__main__":
    main()
