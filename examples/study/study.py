"""Run a study, a grid of arms x seeds, and write one page about it.

    python study.py GRID.yaml RESULTS [--world WORLD.yaml] [--seeds 0,1] [--page PAGE.md]

Every arm runs in a process of its own. One that fails is named, those built on it are left out, and the
others go on; the exit status is then 1. Called again, only what has no result yet is run, and what was
interrupted goes on from its last checkpoint. A grid that has changed since is refused: other results would
stand beside it under the same names. Arms run for all seeds before the next arm does, so that what there is
after any time is as many seeds as possible. The call may be made several times at once.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from grid import Grid, GridError, changes, read_grid
from page import write_page

RESULT = "result.json"


def main() -> int:
    """Run the command line and return its exit status."""
    chosen = _options()
    try:
        grid = read_grid(chosen.grid, chosen.world)
        seeds = _among(grid.seeds, chosen.seeds)
        if not chosen.only_page:
            _check_settings(grid, chosen.results)
        _check_unchanged(grid, chosen.results)
        failed = [] if chosen.only_page else run(grid, seeds, chosen.results)
        page = write_page(grid, chosen.results, chosen.page or chosen.results / "findings.md")
    except GridError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"page: {page}")
    for cell in failed:
        print(f"failed: {cell}")
    return min(1, len(failed))


def run(grid: Grid, seeds: list[int], results: Path) -> list[str]:
    """Run what has no result yet, arm by arm; return what failed.

    Several calls may work on one study at a time: what another is at is left to it.
    """
    failed: dict[tuple[int, str], str] = {}
    while waiting := list(_waiting(grid, seeds, results, failed)):
        progress = False
        for seed, name in waiting:
            folder = results / f"seed-{seed}"
            folder.mkdir(parents=True, exist_ok=True)
            with _claimed(folder, name) as own:
                if not own or (folder / name / RESULT).exists():
                    continue
                progress = True
                began = time.monotonic()
                reason = _in_a_process(grid, seed, name, folder)
                if reason is not None:
                    failed[seed, name] = reason
                took = f"{time.monotonic() - began:.0f} s"
                print(f"seed {seed}, {name}: {reason or 'done'}, {took}", flush=True)
        if not progress:
            time.sleep(2)  # another call is at what this one waits for
    return [f"seed {seed}, {name}: {reason}" for (seed, name), reason in failed.items()]


def _waiting(
    grid: Grid, seeds: list[int], results: Path, failed: dict[tuple[int, str], str]
) -> Iterator[tuple[int, str]]:
    """Yield what has no result but all that it needs; leave out what is built on a failure."""
    for name, arm in grid.arms.items():
        for seed in seeds:
            if (seed, name) in failed or (results / f"seed-{seed}" / name / RESULT).exists():
                continue
            if (seed, str(arm.of)) in failed:
                failed[seed, name] = f"left out, since {arm.of} failed"
            elif arm.of is None or (results / f"seed-{seed}" / arm.of / RESULT).exists():
                yield seed, name
            # what it is of comes first, here or in another call


@contextmanager
def _claimed(folder: Path, name: str) -> Iterator[bool]:
    """Tell whether nobody else is at an arm, and keep others from it meanwhile."""
    with (folder / f"{name}.lock").open("w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True


def _in_a_process(grid: Grid, seed: int, name: str, folder: Path) -> str | None:
    """Run an arm in a process that is forked from this one, which has imported everything already."""
    import arms  # imports torch

    context = multiprocessing.get_context("fork")
    process = context.Process(target=_logged, args=(arms.run_arm, grid, seed, name, folder))
    process.start()
    process.join()
    if process.exitcode == 0:
        return None
    lines = _log(folder, name).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f"exit status {process.exitcode}: {lines[-1] if lines else 'nothing was printed'}"


def _logged(
    run_arm: Callable[[Grid, int, str, Path], None], grid: Grid, seed: int, name: str, folder: Path
) -> None:
    """Run an arm with its output, a traceback included, in a file."""
    sys.stdout = sys.stderr = _log(folder, name).open("w", encoding="utf-8", buffering=1)
    run_arm(grid, seed, name, folder)


def _log(folder: Path, name: str) -> Path:
    return folder / f"{name}.log"


def _among(seeds: list[int], text: str | None) -> list[int]:
    """Read which of a grid's seeds to run."""
    if text is None:
        return seeds
    chosen = [seed.strip() for seed in text.split(",")]
    if unknown := [seed for seed in chosen if seed not in map(str, seeds)]:
        raise GridError(
            f"--seeds {', '.join(unknown)}: the grid has {', '.join(map(str, seeds))}; add others to its "
            "seeds"
        )
    return [int(seed) for seed in chosen]


def _check_settings(grid: Grid, results: Path) -> None:
    import arms  # imports torch

    if problems := arms.settings_problems(grid, results):
        raise GridError("\n".join(problems))


def _check_unchanged(grid: Grid, results: Path) -> None:
    stored = results / "grid.json"
    if stored.exists():
        if changed := changes(grid, stored):
            raise GridError(
                f"{results} holds results of another grid; choose another folder, or undo: "
                f"{'; '.join(changed)}"
            )
        return
    try:
        results.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise GridError(f"{results} is a file; name a folder") from None
    part = stored.with_suffix(f".{os.getpid()}.part")  # another call may read it at any time
    part.write_text(json.dumps(grid.runs(), indent=1, sort_keys=True), encoding="utf-8")
    part.replace(stored)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("grid", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--world", type=Path, help="another world than the grid's, such as redial.yaml")
    parser.add_argument("--seeds", help="only these seeds, separated by commas")
    parser.add_argument("--page", type=Path, help="where to write the page; RESULTS/findings.md by default")
    parser.add_argument("--only-page", action="store_true", help="run nothing, write the page")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
