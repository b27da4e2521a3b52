"""The demo as files: what a run reads, made anew from a seed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from saferec_core.data.titles import Title
from saferec_core.demo.films import load_films
from saferec_core.demo.risk import TRAITS, risk_of
from saferec_core.demo.wordings import all_texts
from saferec_core.demo.world import NUM_TITLES, User, users

__all__ = ["SPLITS", "write_demo", "write_records"]

SPLITS: Mapping[str, int] = {"train": 3000, "validation": 200, "test": 400}
"""Users per split; a user has one dialogue and stands in one split."""


def write_demo(folder: Path, *, seed: int, max_records: int | None = None) -> None:
    """Write the demo's world to *folder*; the same seed writes the same bytes.

    Args:
        folder: Made if need be. It receives ``train.jsonl``, ``validation.jsonl`` and ``test.jsonl``
            with the records of different users, ``catalog.jsonl``, ``oracle.jsonl`` with the risk
            per trait of every title of the catalog, and ``model/``, an untrained network with its
            tokenizer.
        seed: Decides users, dialogues and weights. The films are the same for every seed.
        max_records: Records of each split, where a few are enough; None: as many as ``SPLITS`` says.
    """
    from saferec_core.demo.model import train_tokenizer, write_network

    folder.mkdir(parents=True, exist_ok=True)
    films = load_films()
    population = users(films, seed=seed)
    for split, number in SPLITS.items():
        drawn = number if max_records is None else min(number, max_records)
        _write(folder / f"{split}.jsonl", map(_record, islice(population, drawn)))
    _write(folder / "catalog.jsonl", (_title(film.title) for film in films))
    _write(
        folder / "oracle.jsonl",
        (_title(film.title) | {"risk": {trait: risk_of(film, trait) for trait in TRAITS}} for film in films),
    )
    tokenizer = train_tokenizer(all_texts(NUM_TITLES), [str(film.title) for film in films])
    write_network(folder / "model", tokenizer, seed=seed)


def write_records(path: Path, number: int, *, seed: int, heeded: bool = True) -> None:
    """Write the records of the first *number* users of a seed.

    Args:
        path: A JSONL file.
        number: With ``SPLITS["train"]``, the users whose records are ``train.jsonl``.
        seed: Seed of the world.
        heeded: Whether demonstrations are drawn with an eye on the constraints; false for the data of plain
            SFT.
    """
    _write(path, map(_record, islice(users(load_films(), seed=seed, heeded=heeded), number)))


def _record(user: User) -> dict[str, Any]:
    completion = "\n".join(map(str, user.demonstrated))
    return {
        "user": user.name,
        "prompt": list(user.prompt),
        "completion": [{"role": "assistant", "content": completion}],
        "groundtruth_with_release_year": _pairs(user.relevant),
        "seen_titles": _pairs(user.liked),
        "constraints": list(user.constraints),
    }


def _title(title: Title) -> dict[str, Any]:
    return {"title": title.name, "year": title.year}


def _pairs(titles: Sequence[Title]) -> list[list[str | int | None]]:
    return [[title.name, title.year] for title in titles]


def _write(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
