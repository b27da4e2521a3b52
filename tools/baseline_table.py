"""Print evaluations side by side as the table of README.md and the site: a row for each recommender.

python tools/baseline_table.py popularity=runs/popularity "Safe-Rank-GRPO=runs/demo" [--at 5]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from saferec_core.analysis.estimates import estimate_means
from saferec_core.analysis.metrics import label, written_interval
from saferec_core.analysis.results import Results, read_results
from saferec_core.runs.locate import find_results

__all__ = ["table"]

METRICS = ("recall", "ndcg", "sensitivity_ratio", "any_violation")


def table(rows: Sequence[tuple[str, Results]], k: int) -> str:
    """Return a table in Markdown: each metric at depth *k* with its 95 % interval.

    Raises:
        SystemExit: The evaluations follow different protocols, or used different records.
    """
    first = rows[0][1]
    for name, results in rows:
        if (results.protocol["id"], results.data_sha256) != (first.protocol["id"], first.data_sha256):
            raise SystemExit(
                f"{name} was evaluated by another protocol or on other records than {rows[0][0]}"
            )
    names = [f"{metric}@{k}" for metric in METRICS]
    heads = [label(name, first.metrics[name]) for name in names]
    lines = [f"| | {' | '.join(heads)} |", f"|---|{'---|' * len(heads)}"]
    lines += [f"| {name} | {' | '.join(_cells(results, names))} |" for name, results in rows]
    return "\n".join([*lines, "", f"Protocol: `{first.protocol['id']}`, {len(first):,} lists."])


def _cells(results: Results, names: Sequence[str]) -> list[str]:
    estimates = estimate_means(
        np.stack([results.values(name) for name in names], axis=1),
        results.users,
        generator=np.random.default_rng(0),
        shares=[results.metrics[name].kind == "share" for name in names],
    )
    return [
        " ".join(written_interval(results.metrics[name], value.mean, value.low, value.high))
        for name, value in zip(names, estimates, strict=True)
    ]


def main() -> None:
    """Read and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "rows", nargs="+", metavar="NAME=RUN", help="a run folder or an evaluation (.parquet)"
    )
    parser.add_argument("--at", type=int, default=5, help="depth of the metrics (default: 5)")
    parser.add_argument("--decoding", default="greedy")
    chosen = parser.parse_args()
    rows = []
    for row in chosen.rows:
        name, _, run = row.partition("=")
        rows.append((name, read_results(find_results(Path(run), decoding=chosen.decoding))))
    print(table(rows, chosen.at))


if __name__ == "__main__":
    main()
