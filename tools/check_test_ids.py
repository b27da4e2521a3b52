"""Collect the tests twice, in different seconds and under different hash seeds, and compare their ids.

Workers that share the tests between them refuse to start where their ids differ, which they do where an
id holds data, a time or the order of a set. Exit status 1 names the first that differ.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

SHOWN = 10


def collected(seed: str) -> list[str]:
    """Return the ids of all tests in their order, as a process with this hash seed collects them."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": seed},
        check=False,
    )
    if done.returncode != 0:
        sys.exit(done.stdout + done.stderr)
    return [line for line in done.stdout.splitlines() if "::" in line]


def main() -> int:
    """Compare two collections."""
    first = collected("1")
    time.sleep(1.1)  # the time in a gzip header has seconds
    second = collected("2")
    different = [pair for pair in zip(first, second, strict=False) if pair[0] != pair[1]]
    if different or len(first) != len(second):
        print(f"{len(first)} and {len(second)} tests were collected; {len(different)} ids differ:")
        for one, other in different[:SHOWN]:
            print(f"  {one}\n  {other}")
        return 1
    print(f"{len(first)} tests have the same ids in both collections")
    return 0


if __name__ == "__main__":
    sys.exit(main())
