"""What all pictures share: colors that follow the page's theme, and how a picture is handed to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["SERIES_COLORS", "SERIES_DASHES", "Picture", "chart_of", "layered", "picture", "value_axis"]

SERIES_COLORS = [f"var(--series-{number})" for number in range(1, 7)]
"""Of runs or policies, in order; the style sheet gives them for light and dark."""

SERIES_DASHES = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [10, 4], [4, 1]]
"""Of their lines, so that color is not all that tells them apart."""


@dataclass(frozen=True)
class Picture:
    """One Vega-Lite chart."""

    title: str
    description: str
    """What it shows, in words, for screen readers."""
    spec: Mapping[str, Any]


def chart_of(name: str) -> Any:
    """Return an Altair chart of the rows that `picture` is given under this name.

    A chart that held its rows would copy them with every step of its making.
    """
    import altair as alt

    return alt.Chart(alt.NamedData(name=name))


def picture(title: str, description: str, chart: Any, **rows: Sequence[Mapping[str, Any]]) -> Picture:
    """Put a chart and its rows, by the names that it calls them, together."""
    return Picture(title, description, {**chart.to_dict(validate=False), "datasets": rows})


def layered(
    title: str,
    description: str,
    layers: Sequence[Mapping[str, Any]],
    *,
    height: int,
    **rows: Sequence[Mapping[str, Any]],
) -> Picture:
    """Put layers written in Vega-Lite, which call their rows by name, into a chart as wide as the page."""
    import altair as alt

    spec = {"$schema": alt.SCHEMA_URL, "width": "container", "height": height, "layer": list(layers)}
    return Picture(title, description, {**spec, "datasets": rows})


def value_axis(*, share: bool, ticks: int) -> Any:
    """Return an axis of values, shares in percent, with the decimals that its ticks need to differ."""
    import altair as alt

    return alt.Axis(tickCount=ticks, format="%" if share else alt.Undefined)
