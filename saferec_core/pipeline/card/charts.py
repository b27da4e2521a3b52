"""The charts of a dataset card, drawn by altair as SVG in the colors of the page's style sheet."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date
from importlib.util import find_spec
from typing import Any, NamedTuple

from saferec_core.data.traits import short_names
from saferec_core.pipeline.card.facts import CardFacts
from saferec_core.pipeline.card.parts import percent, sizes

__all__ = ["SERIES", "draw", "is_drawing_possible"]

SERIES = {"train": 1, "validation": 2, "test": 3}
"""Number of the color of each split."""

_FAINT = "var(--faint)"

_WIDTH = 352
"""Pixels, so that the text is legible on a phone."""

_ROW, _TEXT, _TOP, _BOTTOM = 34, 9, 19, 27
"""Height of a horizontal bar with its label above it; positions of text and bar within it."""

_COLUMNS = 170
"""Height of vertical bars."""

_MOST_BARS = 36
"""Bars along the time axis."""

_FONT = "system-ui, -apple-system, Segoe UI, Roboto, Helvetica, Arial, sans-serif"


def is_drawing_possible() -> bool:
    """Return whether the packages of the extra ``saferec[data]`` are installed."""
    return find_spec("altair") is not None and find_spec("vl_convert") is not None


def draw(name: str, facts: CardFacts) -> str:
    """Draw the chart that a section names, as an SVG element."""
    charts: dict[str, Callable[[CardFacts], Any]] = {
        "steps": _steps,
        "traits": _traits,
        "truth": _truth,
        "lists": _lists,
        "time": _time,
    }
    return _svg(charts[name](facts), name)


def _series(number: int) -> str:
    return f"var(--series-{number})"


def _steps(facts: CardFacts) -> Any:
    """Rows that the first step read, and those that each step wrote and lost."""
    first = facts.accounts[0]
    rows = [_Bar("input", f"{first.read:,}", [(first.read, _series(1))])]
    for account in facts.accounts:
        lost = account.removed.total() + account.rejected
        label = f"{account.step}, {percent(lost, account.read)} lost" if lost else account.step
        rows.append(_Bar(label, f"{account.written:,}", [(account.written, _series(1)), (lost, _FAINT)]))
    return _bars(rows)


def _traits(facts: CardFacts) -> Any:
    """Samples with each trait, by split."""
    short = short_names(facts.traits)
    return _bars(
        [
            _Bar(
                short[name],
                f"{trait.samples.total():,}",
                [(trait.samples[split], _series(SERIES[split])) for split in facts.splits],
            )
            for name, trait in facts.traits.items()
        ]
    )


def _truth(facts: CardFacts) -> Any:
    """Samples by size of the ground truth, before and after."""
    return _columns(
        [
            (size, color, times)
            for size, both in sizes([facts.truth_before, facts.truth_after])
            for color, times in zip((_FAINT, _series(1)), both, strict=True)
        ],
        "titles in the ground truth",
        side_by_side=True,
    )


def _lists(facts: CardFacts) -> Any:
    """Completions by number of titles."""
    bars = [(size, _series(1), times) for size, (times,) in sizes([facts.list_lengths])]
    return _columns(bars, "titles in the completion")


def _time(facts: CardFacts) -> Any:
    """Samples by time, with stacked splits."""
    days = sorted(day for split in facts.splits.values() for day in split.days)
    label = _calendar(days[0], days[-1])
    counts = {split: Counter[str]() for split in facts.splits}
    for name, split in facts.splits.items():
        for day, times in split.days.items():
            counts[name][label(day)] += times
    step = 1 if days[-1] - days[0] < 91 * _MOST_BARS else 28  # no year has fewer days
    every = list(dict.fromkeys(label(day) for day in (*range(days[0], days[-1], step), days[-1])))
    bars = [(when, _series(SERIES[name]), counts[name][when]) for when in every for name in facts.splits]
    return _columns(bars, "")


def _calendar(first: int, last: int) -> Callable[[int], str]:
    """Return a function that labels a day: by day, month, quarter or span of years."""
    span = last - first
    if span < _MOST_BARS:
        return lambda day: f"{_date(day):%Y-%m-%d}"
    if span < 30 * _MOST_BARS:
        return lambda day: f"{_date(day):%Y-%m}"
    if span < 91 * _MOST_BARS:
        return lambda day: f"{_date(day):%Y} Q{(_date(day).month + 2) // 3}"
    years = -(-(_date(last).year - _date(first).year + 1) // _MOST_BARS)
    return lambda day: f"{_date(day).year // years * years:04d}"


def _date(day: int) -> date:
    return date.fromordinal(date(1970, 1, 1).toordinal() + day)


class _Bar(NamedTuple):
    """A horizontal bar: its label, its figure, and its parts with their colors."""

    label: str
    figure: str
    parts: list[tuple[int, str]]


def _bars(rows: Sequence[_Bar]) -> Any:
    """Draw horizontal bars, each under its own line of text, which fits the longest trait."""
    alt = _altair()
    whole = max(1, *(sum(size for size, _ in row.parts) for row in rows))
    texts, parts = [], []
    for number, row in enumerate(rows):
        top, start = number * _ROW, 0
        texts.append({"y": top + _TEXT, "label": row.label, "figure": row.figure})
        for size, color in row.parts:
            if size:
                left, right = (_WIDTH * at / whole for at in (start, start + size))
                bar = {"x": left, "x2": max(right, left + 1), "y": top + _TOP, "y2": top + _BOTTOM}
                parts.append({**bar, "color": color})
            start += size
    height = len(rows) * _ROW
    x, y = (
        {"scale": alt.Scale(domain=domain, range=domain, nice=False, zero=False), "axis": None}
        for domain in ([0, _WIDTH], [0, height])
    )
    text = alt.Chart(alt.Data(values=texts)).encode(y=alt.Y("y:Q", **y))
    label = text.mark_text(align="left", limit=_WIDTH - 100).encode(x=alt.value(0), text="label:N")
    figure = text.mark_text(align="right", fontWeight=600).encode(x=alt.value(_WIDTH), text="figure:N")
    bars = (
        alt.Chart(alt.Data(values=parts))
        .mark_rect(cornerRadius=2)
        .encode(
            x=alt.X("x:Q", **x),
            x2="x2:Q",
            y=alt.Y("y:Q", **y),
            y2="y2:Q",
            fill=alt.Fill("color:N", scale=None),
        )
    )
    return (bars + label + figure).properties(width=_WIDTH, height=height, padding=2)


def _columns(bars: Sequence[tuple[str, str, int]], title: str, *, side_by_side: bool = False) -> Any:
    """Draw vertical bars; those of one label are stacked, or side by side."""
    alt = _altair()
    labels = list(dict.fromkeys(label for label, _, _ in bars))
    values = [
        {"label": label, "order": order, "color": color, "times": times}
        for order, (label, color, times) in enumerate(bars)
    ]
    axis = alt.Axis(values=_named(labels), labelAngle=0, title=title or None, ticks=False, labelPadding=6)
    x = alt.X("label:N", sort=None, axis=axis, scale=alt.Scale(domain=labels, paddingInner=0.25))
    y = alt.Y(
        "times:Q",
        axis=alt.Axis(tickCount=4, tickMinStep=1, title=None, format=",d", offset=6),
        stack=not side_by_side,
    )
    chart = alt.Chart(alt.Data(values=values)).mark_bar(cornerRadius=1.5)
    chart = chart.encode(x=x, y=y, fill=alt.Fill("color:N", scale=None), order="order:Q")
    if side_by_side:
        chart = chart.encode(xOffset=alt.XOffset("color:N", sort=None))
    padding = {
        "left": 8,
        "right": 8,
        "top": 6,
        "bottom": 2,
    }  # a browser's font may be wider than vl-convert's
    return chart.properties(width=_WIDTH - 60, height=_COLUMNS, padding=padding)


def _named(labels: Sequence[str]) -> Sequence[str]:
    """Return the labels that the axis has room for, beginnings of years if there are some."""
    if len(labels[0]) <= 4:
        return labels[:: -(-len(labels) // 14)]
    years = [label for label in labels if label.endswith((" Q1", "-01"))]
    chosen = years if len(years) > 2 else labels
    return chosen[:: -(-len(chosen) // 5)]


def _altair() -> Any:
    """Import the optional altair, whose type hints are inaccurate."""
    import altair as alt

    return alt


def _svg(chart: Any, name: str) -> str:
    styled = (
        chart.configure(background="transparent", font=_FONT, aria=False)  # the figure has a label
        .configure_view(stroke=None)
        .configure_text(fill="var(--ink)", fontSize=12, baseline="middle")
        .configure_axis(
            labelColor="var(--ink)",
            labelFontSize=11,
            titleColor="var(--ink)",
            titleFontSize=11,
            titleFontWeight="normal",
            titlePadding=8,
            gridColor="var(--line)",
            domainColor="var(--line)",
            tickColor="var(--line)",
        )
        .configure_axisY(domain=False, ticks=False)
        .configure_axisX(grid=False)
    )
    file = io.StringIO()
    styled.save(file, format="svg")
    head, rest = file.getvalue().split(">", 1)
    # An element of an HTML page needs no namespaces, and the style sheet sets its size.
    head = re.sub(r' (?:xmlns(?::xlink)?|version|width|height)="[^"]*"', "", head)
    return f"{head}>{_renamed(rest, name)}"


def _renamed(svg: str, name: str) -> str:
    """Name clip paths after the chart, since vl-convert numbers them across charts."""
    numbers: dict[str, int] = {}
    return re.sub(
        r'(id="|url\(#)clip(\d+)',
        lambda clip: f"{clip[1]}{name}-{numbers.setdefault(clip[2], len(numbers))}",
        svg,
    )
