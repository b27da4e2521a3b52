"""Seconds of 10,000 resamples of all metrics, clustered by user, on one core.

    python benchmarks/resampling.py [--rows 10000] [--metrics 40]

Timed on rows of 2,000 users and on rows of as many users as there are rows; a tenth of the values is
missing, in another place for each metric, which is the slowest case.
"""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import argparse
import time

import numpy as np
from scipy.stats import bootstrap

from saferec_core.analysis.bootstrap import RESAMPLES, grouped
from saferec_core.analysis.estimates import compare_pairs, estimate_means

GOAL = 5.0
"""Seconds."""


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    arguments.add_argument("--rows", type=int, default=10_000)
    arguments.add_argument("--metrics", type=int, default=40)
    chosen = arguments.parse_args()
    generator = np.random.default_rng(0)
    shape = (chosen.rows, chosen.metrics)
    first, second = (
        np.where(generator.random(shape) < 0.1, np.nan, generator.random(shape)) for _ in range(2)
    )
    print(f"{RESAMPLES:,} resamples, {chosen.rows:,} rows, {chosen.metrics} metrics; goal {GOAL:g} s")
    for users in sorted({min(2_000, chosen.rows), chosen.rows}):
        whose = np.arange(chosen.rows) % users
        start = time.perf_counter()
        estimate_means(first, whose, generator=generator)
        middle = time.perf_counter()
        compare_pairs(first, second, whose, generator=generator)
        end = time.perf_counter()
        print(
            f"{users:,} users: intervals {middle - start:.2f} s; "
            f"paired comparison with permutation test {end - middle:.2f} s"
        )
    one, by_user = first[:, :1], grouped(first[:, :1], whose)
    start = time.perf_counter()
    estimate_means(one, whose, generator=generator)
    middle = time.perf_counter()
    sides = (by_user.sums[:, 0], by_user.counts[:, 0])
    bootstrap(sides, _mean, paired=True, n_resamples=RESAMPLES, method="BCa", rng=generator, batch=256)
    end = time.perf_counter()
    print(f"one metric alone: {middle - start:.2f} s; by scipy.stats.bootstrap {end - middle:.2f} s")


def _mean(sums: np.ndarray, counts: np.ndarray, axis: int = -1) -> np.ndarray:
    return sums.sum(axis) / counts.sum(axis)


if __name__ == "__main__":
    main()
