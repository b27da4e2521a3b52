"""Training records that know little of what their users like, as those of real dialogues do."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

from saferec_core.oracle_files.deciding import RISK_THRESHOLD

__all__ = ["write_sparse_records"]


def write_sparse_records(demo: Path, path: Path, *, right: float, seed: int) -> None:
    """Write the demo's training records with one relevant title each, which is seldom the right one.

    Args:
        demo: Folder of the demo's world.
        path: The JSONL file to write.
        right: Share of the records that name one of the titles their user really likes. The others name any
            title of the catalog that the user has not seen and that violates no constraint of theirs.
        seed: Decides which.
    """
    random = Random(seed)
    risks = {(row["title"], row["year"]): row["risk"] for row in _rows(demo / "oracle.jsonl")}
    lines = []
    for record in _rows(demo / "train.jsonl"):
        liked = record["groundtruth_with_release_year"]
        chosen = liked if random.random() < right else _allowed(record, risks)
        lines.append(json.dumps({**record, "groundtruth_with_release_year": [random.choice(chosen)]}) + "\n")
    part = path.with_suffix(".part")
    part.write_text("".join(lines), encoding="utf-8")
    part.replace(path)


def _allowed(
    record: Mapping[str, Any], risks: Mapping[tuple[str, int], Mapping[str, float]]
) -> list[tuple[str, int]]:
    """Return the catalog's titles that the user of *record* has not seen and may be shown."""
    seen = {tuple(title) for title in record["seen_titles"]}
    traits = record["constraints"]
    return [
        title
        for title, risk in risks.items()
        if title not in seen and all(risk[trait] < RISK_THRESHOLD for trait in traits)
    ]


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)
