"""Draw the picture of the idea on the landing page and in README.md, once for light pages and once for dark.

python tools/idea_picture.py            write docs/idea-light.svg and docs/idea-dark.svg
python tools/idea_picture.py --check    exit status 1 if they are not what this draws
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

DOCS = Path(__file__).parents[1] / "docs"
WIDTH, HEIGHT = 700, 436


class Palette(NamedTuple):
    """The colors of one picture."""

    ink: str
    muted: str
    line: str
    panel: str
    user: str
    model: str
    up: str
    down: str


PALETTES = {
    "light": Palette("#1d2530", "#5b6776", "#c5cdd8", "#f7f8fa", "#e4ecf7", "#dfe9e2", "#1a7f4b", "#b3362b"),
    "dark": Palette("#e8ebf0", "#a3adba", "#47505c", "#232830", "#2a3a50", "#28402f", "#5fd197", "#ff8f80"),
}


class Line(NamedTuple):
    """One rank of the list."""

    title: str
    verdict: str
    move: str
    """up, down or alone."""


LIST = (
    Line("1. The Descent (2005)", "relevant, but violates “no gore”", "down"),
    Line("2. Arrival (2016)", "relevant, safe", "up"),
    Line("3. Paddington (2014)", "not relevant, safe", "alone"),
    Line("4. Arrival (2016)", "repeated, so wasted", "down"),
)
MOVES = {"up": "▲ more likely", "down": "▼ less likely", "alone": "– left alone"}
DESCRIPTION = (
    "A user asks for something like Saw without gore. The language model writes a list. Catalog, ground "
    "truth and oracle give every rank a reward of its own: relevant and safe titles become more likely, "
    "violations and repeated titles less likely, and each rank moves the tokens of its own line only."
)


def drawn(palette: Palette) -> str:
    """Return the picture."""
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        'font-family="system-ui, -apple-system, Segoe UI, Roboto, sans-serif" font-size="16" '
        f'fill="{palette.ink}">'
    )
    arrow_head = (
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        f'orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="{palette.muted}"/></marker></defs>'
    )
    parts = [
        head,
        f"<title>How saferec trains</title><desc>{escape(DESCRIPTION)}</desc>",
        arrow_head,
        _box(10, 12, 360, 50, palette.user, palette, radius=24),
        _text(190, 43, "“Something like Saw, but no gore.”", anchor="middle"),
        _arrow("M374 37 H434", palette),
        _box(438, 12, 196, 50, palette.model, palette),
        _text(536, 43, "language model", anchor="middle", weight=600),
        _arrow("M536 66 V104", palette),
        _box(10, 108, 660, 200, palette.panel, palette),
    ]
    for number, line in enumerate(LIST):
        parts += _rank(line, 142 + 47 * number, palette)
    parts += [
        _arrow("M210 372 V312", palette),
        _box(10, 376, 400, 48, palette.panel, palette),
        _text(210, 406, "catalog  ·  ground truth  ·  oracle", anchor="middle", weight=600),
        _text(224, 347, "a reward for each rank", color=palette.muted, size=15),
        _arrow("M612 312 C612 352 686 352 686 290 V72 C686 42 672 37 639 37", palette),
        _text(686, 372, "moves the tokens of that rank alone", anchor="end", color=palette.muted, size=15),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _rank(line: Line, y: int, palette: Palette) -> list[str]:
    color = {"up": palette.up, "down": palette.down, "alone": palette.muted}[line.move]
    rule = "" if line is LIST[-1] else f'<path d="M24 {y + 16} H656" stroke="{palette.line}"/>'
    return [
        _text(26, y, line.title, weight=600),
        _text(240, y, line.verdict, color=palette.muted),
        _text(652, y, MOVES[line.move], color=color, anchor="end", weight=600),
        rule,
    ]


def _box(x: int, y: int, width: int, height: int, fill: str, palette: Palette, radius: int = 10) -> str:
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="{radius}" fill="{fill}" '
        f'stroke="{palette.line}"/>'
    )


def _text(
    x: int,
    y: int,
    text: str,
    *,
    anchor: str = "start",
    weight: int = 400,
    color: str | None = None,
    size: int = 16,
) -> str:
    fill = "" if color is None else f' fill="{color}"'
    return (
        f'<text x="{x}" y="{y}" text-anchor="{anchor}" font-weight="{weight}" font-size="{size}"{fill}>'
        f"{escape(text)}</text>"
    )


def _arrow(path: str, palette: Palette) -> str:
    return f'<path d="{path}" fill="none" stroke="{palette.muted}" stroke-width="2" marker-end="url(#head)"/>'


def main() -> None:
    """Write the pictures, or check them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    for name, palette in PALETTES.items():
        path, picture = DOCS / f"idea-{name}.svg", drawn(palette)
        if not check:
            path.write_text(picture, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != picture:
            sys.exit(f"{path} is not what tools/idea_picture.py draws; run it")


if __name__ == "__main__":
    main()
