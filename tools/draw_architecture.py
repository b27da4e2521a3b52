"""Draw docs/architecture.svg: the rooms of the core, lowest last, and who may look into which.

    python tools/draw_architecture.py            write the picture
    python tools/draw_architecture.py --check    exit status 1 if it is not the present state

Everything is read from where it is decided: the order of the rooms and what plugins must not import from the
import contracts in pyproject.toml, what a room is for from the first line of its package.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PICTURE = ROOT / "docs" / "architecture.svg"

ROW, GAP, TOP, SIDE, CORE = 38, 6, 52, 130, 860
STYLE = """
text { font: 12px system-ui, sans-serif; fill: #1c2733 }
.name { font-weight: 600; font-size: 13px }
.small { font-size: 11px; fill: #52606d }
rect { fill: #f4f6f8; stroke: #9aa5b1; rx: 5 }
.open { fill: #e3f1ea; stroke: #3c8f68 }
.part { fill: #e8effa; stroke: #4a73b0 }
path { stroke: #4a73b0; stroke-width: 1.5; fill: none; marker-end: url(#tip) }
"""


def rooms(project: Mapping[str, Any]) -> list[str]:
    """Return the rooms from the highest to the lowest, those of one level side by side."""
    (layers,) = (one["layers"] for one in _contracts(project) if one["name"].startswith("rooms of the core"))
    return [room for layer in layers for room in map(str.strip, layer.split("|"))]


def closed_to_plugins(project: Mapping[str, Any]) -> set[str]:
    """Return the rooms that plugins must not import from."""
    (closed,) = (
        one["forbidden_modules"] for one in _contracts(project) if one["name"].startswith("plugins see")
    )
    return {module.removeprefix("saferec_core.") for module in closed}


def without_torch(project: Mapping[str, Any]) -> set[str]:
    """Return the rooms that stay without torch as a whole."""
    (modules,) = (
        one["source_modules"] for one in _contracts(project) if one["name"].startswith("rooms without torch")
    )
    return {module.removeprefix("saferec_core.") for module in modules}


def purpose(room: str) -> str:
    """Return the first line of a room's docstring."""
    package = ROOT / "saferec_core" / room / "__init__.py"
    module = package if package.is_file() else ROOT / "saferec_core" / f"{room}.py"
    docstring = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
    return docstring.splitlines()[0].removesuffix(" No torch.")


def picture() -> str:
    """Return the picture as SVG."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    names = rooms(project)
    height = TOP + len(names) * (ROW + GAP) + 34
    width = 2 * SIDE + CORE + 4 * 24
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">',
            "<title>Rooms of saferec_core and who imports them</title>",
            f"<style>{STYLE}</style>",
            (
                '<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
                '<path d="M0 0 8 4 0 8z" style="fill:#4a73b0;marker-end:none"/></marker></defs>'
            ),
            *_sides(height, width),
            *_core(names, closed_to_plugins(project), without_torch(project)),
            "</svg>\n",
        ]
    )


def _sides(height: int, width: int) -> Iterator[str]:
    bottom, left = height - TOP - 34 - GAP, SIDE + 24
    middle = TOP + 120
    for x, name, lines in (
        (0, "saferec_cli", ("arguments in,", "text out")),
        (width - SIDE, "saferec_plugins", ("every built-in", "plugin, by", "entry points")),
    ):
        yield f'<rect class="part" x="{x + 1}" y="{TOP}" width="{SIDE - 2}" height="{bottom}"/>'
        yield f'<text class="name" x="{x + SIDE / 2}" y="{TOP + 24}" text-anchor="middle">{name}</text>'
        for row, line in enumerate(lines):
            y = TOP + 44 + 16 * row
            yield f'<text class="small" x="{x + SIDE / 2}" y="{y}" text-anchor="middle">{line}</text>'
    yield f'<path d="M{SIDE} {middle}H{left + 22}"/>'
    yield f'<path d="M{width - SIDE} {middle}H{width - left - 22}"/>'
    yield f'<text class="name" x="{left + 24}" y="20">saferec_core</text>'
    yield f'<text class="small" x="{left + 24}" y="38">A room imports only rooms below it.</text>'


def _core(names: list[str], closed: set[str], bare: set[str]) -> Iterator[str]:
    x = SIDE + 48
    y = TOP
    for room in names:
        kind = "" if room in closed else ' class="open"'
        yield f'<rect{kind} x="{x}" y="{y}" width="{CORE}" height="{ROW}"/>'
        yield f'<text class="name" x="{x + 12}" y="{y + 24}">{room}</text>'
        yield f'<text x="{x + 120}" y="{y + 24}">{escape(purpose(room))}</text>'
        if room in bare:
            yield (
                f'<text class="small" x="{x + CORE - 10}" y="{y + 24}" text-anchor="end">without torch</text>'
            )
        y += ROW + GAP
    yield f'<text class="small" x="{x}" y="{y + 18}">Green: open to plugins, built-in or not.</text>'


def _contracts(project: Mapping[str, Any]) -> list[dict[str, Any]]:
    contracts: list[dict[str, Any]] = project["tool"]["importlinter"]["contracts"]
    return contracts


def main() -> int:
    """Write or check the picture."""
    drawn = picture()
    if "--check" in sys.argv[1:]:
        if PICTURE.is_file() and PICTURE.read_text(encoding="utf-8") == drawn:
            return 0
        print(f"{PICTURE} is not the present state; run python tools/draw_architecture.py")
        return 1
    PICTURE.write_text(drawn, encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
