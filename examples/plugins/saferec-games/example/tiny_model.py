"""Writes the folder ``model``: a network with 400,000 random weights, to try the example without a GPU.

Its tokenizer knows the words of the dataset, and every game of the catalog as one token, so that prompts and
lists are short. A real run names a chat model instead, such as Qwen/Qwen2.5-0.5B-Instruct.
"""

import json
from pathlib import Path
from typing import Any

from saferec_core.data.titles import Title
from saferec_core.demo.model import train_tokenizer, write_network

HERE = Path(__file__).parent


def rows(name: str) -> list[dict[str, Any]]:
    """Read a JSONL file that lies beside this one."""
    return [json.loads(line) for line in (HERE / name).read_text(encoding="utf-8").splitlines()]


texts = [turn["content"] for row in rows("dataset/train.jsonl") for turn in row["prompt"]]
games = [str(Title(row["title"], row["year"])) for row in rows("games.jsonl")]
write_network(HERE / "model", train_tokenizer(texts, games), seed=0)
