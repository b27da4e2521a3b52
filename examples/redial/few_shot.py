"""Put worked examples in front of the test dialogues, for a model that was not trained to write lists.

    python few_shot.py OUT/dataset few_shot.jsonl [--shots 2]

Every prompt then begins with short training dialogues and their lists, and ends with a sentence that asks
for ten titles in the format of the lists.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datasets import load_from_disk

FORMAT = "\n\nList exactly 10 titles, one a line, each as: Title (Year)"


def asked(messages: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Return a dialogue whose last turn asks for the format."""
    return [*messages[:-1], {**messages[-1], "content": messages[-1]["content"] + FORMAT}]


def examples(train: Sequence[dict[str, Any]], number: int) -> list[dict[str, str]]:
    """Return the turns of short training dialogues of one turn, each with its list of ten titles."""
    short = [
        row for row in train if len(row["prompt"]) == 2 and row["completion"][0]["content"].count("\n") == 9
    ]
    short.sort(key=lambda row: len(row["prompt"][1]["content"]))
    chosen = short[20 : 20 + number]  # the very shortest only greet
    return [turn for row in chosen for turn in (*asked(row["prompt"][1:]), *row["completion"])]


def main() -> None:
    """Read the arguments and write the records."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--shots", type=int, default=2)
    arguments = parser.parse_args()
    splits = load_from_disk(str(arguments.dataset))
    front = examples(list(splits["train"]), arguments.shots)
    with arguments.out.open("x", encoding="utf-8") as file:
        for row in splits["test"]:
            system, *turns = row["prompt"]
            columns = ("id", "groundtruth_with_release_year", "seen_titles", "constraints")
            record = {"prompt": [system, *front, *asked(turns)], **{name: row[name] for name in columns}}
            file.write(json.dumps(record, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
