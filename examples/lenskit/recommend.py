"""Fit a LensKit model on the histories of training records, and write its lists for held-out records.

``saferec eval --predictions`` measures the lists like those of any policy; see README.md beside this file.

    python recommend.py item-knn --train train.jsonl --test test.jsonl --out lists.jsonl [-k 5]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
from lenskit import recommend
from lenskit.als import ImplicitMFScorer
from lenskit.basic import PopScorer
from lenskit.data import ItemList, RecQuery, from_interactions_df
from lenskit.knn import ItemKNNScorer
from lenskit.pipeline import Component, topn_pipeline

from saferec_core import load_records
from saferec_core.data.records import Record

SCORERS = {
    "popularity": PopScorer,
    "item-knn": lambda: ItemKNNScorer(max_nbrs=20, feedback="implicit"),
    "implicit-mf": lambda: ImplicitMFScorer(embedding_size=32),
}
"""Settings are LensKit's own, but for the number of neighbors and the size of the vectors."""


def written(title: str | Sequence[str | int]) -> str:
    """Return a title as predictions have it, with its year if that is known."""
    return title if isinstance(title, str) else f"{title[0]} ({title[1]})"


def interactions(records: Sequence[Record]) -> Iterator[tuple[int, str]]:
    """Yield who watched what: the history of every training record, and what was relevant to its user."""
    for user, record in enumerate(records):
        for title in dict.fromkeys(map(written, [*record.seen_titles, *record.groundtruth])):
            yield user, title


def lists_of(
    scorer: Component, train: Sequence[Record], test: Sequence[Record], length: int
) -> Iterator[dict[str, object]]:
    """Fit *scorer*, and yield a row of predictions for each record of *test*."""
    watched = pd.DataFrame(interactions(train), columns=["user_id", "item_id"])
    known = set(watched["item_id"])  # LensKit refuses a history with other titles
    pipeline = topn_pipeline(scorer, n=length)
    pipeline.train(from_interactions_df(watched))
    for position, record in enumerate(test):
        seen = dict.fromkeys(title for title in map(written, record.seen_titles) if title in known)
        history = ItemList(item_ids=list(seen)) if seen else None
        ranked = recommend(pipeline, RecQuery(history_items=history), n=length)
        scores = [float(score) for score in ranked.scores()]
        yield {"position": position, "titles": list(map(str, ranked.ids())), "scores": scores}


def main() -> None:
    """Fit, recommend and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scorer", choices=SCORERS)
    parser.add_argument("--train", type=Path, required=True, help="training records")
    parser.add_argument("--test", type=Path, required=True, help="held-out records")
    parser.add_argument("--out", type=Path, required=True, help="JSONL file that gets a list a record")
    parser.add_argument("-k", type=int, default=10, help="titles of a list (default: 10)")
    chosen = parser.parse_args()
    rows = lists_of(SCORERS[chosen.scorer](), load_records(chosen.train), load_records(chosen.test), chosen.k)
    chosen.out.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
