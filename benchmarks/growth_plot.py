"""Draw how the training part of a step grows with prompt length, group size and list length.

    python benchmarks/growth_plot.py RESULTS.json PLOT.svg

RESULTS.json is what ``gpu_step.py`` or ``training_step.py`` wrote. Shapes that differ in one dimension only
from a shape that occurs in it make one panel.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

DIMENSIONS = {
    "prompt": "tokens of the prompt",
    "group": "completions per prompt",
    "listed": "tokens of a list",
}
COLORS = {"stock": "#9a3412", "saferec": "#1d4ed8"}
LABELS = {"stock": "stock TRL", "saferec": "saferec"}
PARTS = ("old", "reference", "forward", "backward")
WIDTH, HEIGHT, MARGIN = 300, 240, 46


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("plot", type=Path)
    chosen = parser.parse_args(arguments)
    results = json.loads(chosen.results.read_text())["results"]
    measured = {name: series(results, name) for name in DIMENSIONS}
    panels = [panel(name, points) for name, points in measured.items() if len(points) > 1]
    shifted = (
        f'<g transform="translate({number * WIDTH} 0)">{part}</g>' for number, part in enumerate(panels)
    )
    chosen.plot.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {len(panels) * WIDTH} {HEIGHT}" '
        f'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="white"/>'
        f"{''.join(shifted)}</svg>\n"
    )


def series(results: list[dict[str, Any]], dimension: str) -> dict[int, dict[str, float]]:
    """Return the median seconds of both trainers by one dimension, in the longest row of such shapes."""
    rows: dict[str, dict[int, dict[str, float]]] = {}
    for result in results:
        if not (result["stock"] and result["saferec"]):
            continue
        others = {name: value for name, value in result["shape"].items() if name != dimension}
        rows.setdefault(json.dumps(others), {})[result["shape"][dimension]] = {
            trainer: statistics.median(
                sum(phases["seconds"].get(name, 0.0) for name in PARTS) for phases in result[trainer]
            )
            for trainer in LABELS
        }
    return dict(sorted(max(rows.values(), key=len, default={}).items()))


def panel(dimension: str, points: dict[int, dict[str, float]]) -> str:
    """Draw one line per trainer, both axes from 0."""
    widest, highest = max(points), max(max(values.values()) for values in points.values()) * 1.1

    def at(x: float, y: float) -> tuple[float, float]:
        return (
            MARGIN + x / widest * (WIDTH - MARGIN - 20),
            HEIGHT - MARGIN - y / highest * (HEIGHT - MARGIN - 30),
        )

    name = DIMENSIONS[dimension]
    (left, bottom), (right, top) = at(0, 0), at(widest, highest)
    parts = [
        f'<path d="M{left} {top}V{bottom}H{right}" fill="none" stroke="#666"/>',
        f'<text x="{(left + right) / 2}" y="{HEIGHT - 10}" text-anchor="middle">{name}</text>',
        f'<text x="{left}" y="{top - 8}">seconds, training part</text>',
    ]
    parts += [
        f'<text x="{at(x, 0)[0]:.1f}" y="{bottom + 14}" text-anchor="middle">{x}</text>' for x in points
    ]
    for share in (0.5, 1.0):
        y = highest / 1.1 * share
        parts.append(f'<text x="{left - 5}" y="{at(0, y)[1] + 4:.1f}" text-anchor="end">{y:.2f}</text>')
    for number, (trainer, color) in enumerate(COLORS.items()):
        corners = [at(x, values[trainer]) for x, values in points.items()]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{color}"/>' for x, y in corners]
        key = bottom - 26 + 14 * number
        parts.append(f'<text x="{right}" y="{key}" text-anchor="end" fill="{color}">{LABELS[trainer]}</text>')
    return "".join(parts)


if __name__ == "__main__":
    main()
