"""The page about a study: every arm's lists, and a verdict on every finding."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from grid import Arm, Grid, GridError, digest
from verdicts import Tested, Vector, difference, holm, verdict_of

from saferec_core.config.limits import read_limits

__all__ = ["write_page"]

COLUMNS: Mapping[str, str] = {
    "recall@5": "Recall@5",
    "sensitivity_ratio@5": "Sensitivity Ratio@5",
    "duplicates": "repeats a list",
    "seen": "seen a list",
    "list_length": "length",
}
PERCENT = ("sensitivity_ratio@5",)
VIOLATIONS = "sensitivity_ratio@5"
WHOLE = "catalog_coverage@5"

Cells = Mapping[tuple[int, str], Any]
"""The results by seed and arm."""


def write_page(grid: Grid, results: Path, page: Path) -> Path:
    """Write what the results that are there say, and return the page."""
    cells = _cells(results)
    page.write_text("\n".join(_lines(grid, cells)) + "\n", encoding="utf-8")
    return page


def _cells(results: Path) -> Cells:
    cells = {}
    for path in sorted(results.glob("seed-*/*/result.json")):
        seed = int(path.parts[-3].removeprefix("seed-"))
        cells[seed, path.parts[-2]] = json.loads(path.read_text(encoding="utf-8"))
    return cells


def _lines(grid: Grid, cells: Cells) -> Iterator[str]:
    seeds = sorted({seed for seed, _ in cells})
    missing = [f"{name} (seed {seed})" for seed in seeds for name in grid.arms if (seed, name) not in cells]
    users = max((len(cell["greedy"]["users"]) for cell in cells.values()), default=0)
    yield f"# {grid.title}"
    yield ""
    if grid.about:
        yield grid.about.strip()
        yield ""
    named = ", ".join(map(str, seeds)) or "none"
    yield (
        f"{len(grid.arms)} arms, seeds {named}, {users} held-out users a seed; grid {digest(grid)}. "
        "Intervals are 95 % of a bootstrap over seeds and, within each, users; p values are those of the "
        "claim, corrected by Holm for all claims of both decodings."
    )
    if missing:
        yield ""
        yield f"Without a result: {', '.join(missing)}."
    yield from ("", "## Verdicts", "")
    yield from _verdicts(grid, cells, seeds)
    if any(_limit(arm) is not None for arm in grid.arms.values()):
        yield from ("", "## Limits on violations", "")
        yield from _limits(grid, cells, seeds)
    for kind in ("greedy", "sampled"):
        yield from ("", f"## {kind.capitalize()} lists", "")
        yield "Means over seeds; in parentheses the lowest and the highest seed."
        yield ""
        yield from _arms(grid, cells, seeds, kind)


def _arms(grid: Grid, cells: Cells, seeds: list[int], kind: str) -> Iterator[str]:
    """Yield the table of all arms."""
    yield f"| arm | {' | '.join(COLUMNS.values())} | catalog coverage | seeds |"
    yield f"|---|{'---:|' * (len(COLUMNS) + 2)}"
    for name, arm in grid.arms.items():
        there = [cells[seed, name][kind] for seed in seeds if (seed, name) in cells]
        if not there:
            continue
        figures = [_over_seeds(metric, there) for metric in COLUMNS]
        coverage = float(np.mean([cell["whole"].get(WHOLE, np.nan) for cell in there]))
        yield f"| {_described(name, arm)} | {' | '.join(figures)} | {coverage:.2f} | {len(there)} |"


def _limits(grid: Grid, cells: Cells, seeds: list[int]) -> Iterator[str]:
    """Yield what was allowed and what sampled lists, which training counts, came to."""
    yield "Of sampled lists of held-out users; training counts the same of its own. Some arms have no limit."
    yield ""
    yield "| arm | allowed | violating titles | seeds that keep it | Recall@5 | Recall@5, greedy |"
    yield "|---|---:|---:|---:|---:|---:|"
    for name, arm in grid.arms.items():
        there = [cells[seed, name] for seed in seeds if (seed, name) in cells]
        if arm.train is None or not there:
            continue
        bound, sampled = _limit(arm), [cell["sampled"] for cell in there]
        shares = _means(VIOLATIONS, sampled)
        kept = "" if bound is None else f"{sum(share <= bound for share in shares)} of {len(shares)}"
        allowed = "" if bound is None else f"{100 * bound:g} %"
        recalls = [_over_seeds("recall@5", [cell[kind] for cell in there]) for kind in ("sampled", "greedy")]
        figures = " | ".join([allowed, _over_seeds(VIOLATIONS, sampled), kept, *recalls])
        yield f"| {_described(name, arm)} | {figures} |"


def _limit(arm: Arm) -> float | None:
    """Return the share of violating titles that an arm is allowed."""
    named = (arm.train or {}).get("limits", {}).get("limit", [])
    limits = read_limits(named.split(",") if isinstance(named, str) else named, has_oracle=True)
    return next((limit.bound for limit in limits if limit.name == "violation_rate"), None)


def _over_seeds(metric: str, there: list[Any]) -> str:
    """Return the mean over seeds, and the range; "-" where no list has a value."""
    means = _means(metric, there)
    if not means:
        return "-"
    mean = _figure(metric, float(np.mean(means)))
    return (
        mean
        if len(means) == 1
        else f"{mean} ({_figure(metric, min(means))} to {_figure(metric, max(means))})"
    )


def _means(metric: str, there: list[Any]) -> list[float]:
    """Return the mean over users in each cell where any has a value."""
    values = [_vector(cell, metric) for cell in there]
    return [float(np.nanmean(of_users)) for of_users in values if not np.isnan(of_users).all()]


def _described(name: str, arm: Arm) -> str:
    return f"`{name}`: {arm.label}"


def _verdicts(grid: Grid, cells: Cells, seeds: list[int]) -> Iterator[str]:
    """Yield the table of all findings."""
    tested: dict[tuple[int, str, int], Tested] = {}
    for number, finding in enumerate(grid.findings):
        for kind in ("greedy", "sampled"):
            for position, statement in enumerate(finding.statements):
                pairs = [
                    (
                        _vector(cells[seed, statement.arm][kind], statement.metric),
                        _vector(cells[seed, statement.than][kind], statement.metric),
                    )
                    for seed in seeds
                    if (seed, statement.arm) in cells and (seed, statement.than) in cells
                ]
                tested[number, kind, position] = difference(statement, pairs)
    adjusted = dict(zip(tested, holm([test.p for test in tested.values()]), strict=True))
    yield "| finding | greedy lists | sampled lists |"
    yield "|---|---|---|"
    for number, finding in enumerate(grid.findings):
        columns = []
        for kind in ("greedy", "sampled"):
            positions = range(len(finding.statements))
            own = {position: tested[number, kind, position] for position in positions}
            p = {position: adjusted[number, kind, position] for position in positions}
            tests = "<br>".join(_tested(own[position], p[position]) for position in positions)
            columns.append(f"**{verdict_of(finding, own, p)}**<br>{tests}")
        yield f"| {finding.title} | {' | '.join(columns)} |"


def _tested(test: Tested, p: float) -> str:
    statement = test.statement
    margin = f" by {statement.margin:g}" if statement.margin else ""
    name = COLUMNS.get(statement.metric, statement.metric)
    head = f"{name} of `{statement.arm}` {statement.claim} than of `{statement.than}`{margin}"
    if not test.seeds:
        return f"{head}: no results"
    estimate, low, high = (
        _figure(statement.metric, value, signed=True) for value in (test.estimate, test.low, test.high)
    )
    return f"{head}: {estimate} [{low}, {high}], p {p:.3f}"


def _vector(cell: Any, metric: str) -> Vector:
    if metric not in cell["metrics"]:
        raise GridError(f"the results have no metric {metric!r}, but {', '.join(cell['metrics'])}")
    return np.array([np.nan if value is None else value for value in cell["metrics"][metric]], np.float64)


def _figure(metric: str, value: float, *, signed: bool = False) -> str:
    sign = "+" if signed else ""
    return f"{100 * value:{sign}.1f} %" if metric in PERCENT else f"{value:{sign}.3f}"
