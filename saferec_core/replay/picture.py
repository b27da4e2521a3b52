"""Draw a replay as one SVG or PNG file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from saferec_core.files import replacing
from saferec_core.pages.environment import color_on_light_pages
from saferec_core.replay.run import KINDS, Replay
from saferec_core.report.drawing import chart_of

__all__ = ["draw_replay"]

_COLORS = {"hit": "hit", "violation": "violation", "wasted": "again", "other": "plain"}
"""The style sheet's name for the color of each kind of rank."""
_MOST_POINTS = 3000
_RUN, _REPLAY = "run", "replay"


def draw_replay(shown: Replay, out: Path) -> None:
    """Draw advantages by rank, shares of the variance and, where it is stored, the run's own against them.

    Args:
        shown: The replay.
        out: The file, which ends with ``.svg`` or ``.png``. It is there whole or not at all.
    """
    import vl_convert

    spec = {**_chart(shown).to_dict(validate=False), "datasets": _rows(shown)}
    with replacing(out) as draft:
        if out.suffix == ".svg":
            draft.write_text(vl_convert.vegalite_to_svg(spec), encoding="utf-8")
        else:
            draft.write_bytes(vl_convert.vegalite_to_png(spec, scale=2))


def _rows(shown: Replay) -> dict[str, list[dict[str, Any]]]:
    """Return what is drawn, by the names that the charts call it."""
    every = max(1, -(-len(shown.pairs) // _MOST_POINTS))
    return {
        "by_rank": [
            {"rank": row.rank, "kind": kind, "of": of, "advantage": mean}
            for row in shown.by_rank
            for kind, means in row.means.items()
            for of, mean in zip((_RUN, _REPLAY), means, strict=True)
            if mean is not None
        ],
        "shares": [
            {"reward": name, "of": of, "share": share}
            for name, shares in shown.shares.items()
            for of, share in zip((_RUN, _REPLAY), shares, strict=True)
            if share is not None
        ],
        "ranks": [{"run": own, "replay": new, "kind": kind} for own, new, kind in shown.pairs[::every]],
    }


def _chart(shown: Replay) -> Any:
    import altair as alt

    charts = [_by_rank(), _shares(len(shown.shares))]
    if shown.is_compared:
        charts.append(_against())
    rewards = ", ".join(f"{name} × {weight:g}" for name, weight in shown.rewards.items())
    return (
        alt.hconcat(*charts, spacing=40)
        .resolve_scale(color="independent", strokeDash="independent")
        .properties(title=f"{shown.source.parent.name}: {rewards}; {shown.normalizer}", background="white")
    )


def _kind_color() -> Any:
    import altair as alt

    scale = alt.Scale(domain=list(KINDS), range=[color_on_light_pages(_COLORS[kind]) for kind in KINDS])
    return alt.Color("kind:N", title=None, scale=scale)


def _by_rank() -> Any:
    import altair as alt

    dash = alt.Scale(domain=[_REPLAY, _RUN], range=[[1, 0], [4, 3]])
    ink = color_on_light_pages("ink")
    strokes = alt.Legend(
        symbolType="stroke", symbolSize=300, symbolStrokeColor=ink, symbolFillColor="transparent"
    )
    return (
        chart_of("by_rank")
        .mark_line(point=True)
        .encode(
            x=alt.X("rank:O", title="rank", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("advantage:Q", title=None),
            color=_kind_color(),
            strokeDash=alt.StrokeDash("of:N", title=None, scale=dash, legend=strokes),
        )
        .properties(title="Mean advantage by rank", width=260, height=220)
    )


def _shares(rewards: int) -> Any:
    import altair as alt

    color = alt.Scale(
        domain=[_RUN, _REPLAY], range=[color_on_light_pages("muted"), color_on_light_pages("series-1")]
    )
    return (
        chart_of("shares")
        .mark_bar()
        .encode(
            y=alt.Y("reward:N", title=None),
            yOffset=alt.YOffset("of:N", sort=[_RUN, _REPLAY]),
            x=alt.X("share:Q", title=None, axis=alt.Axis(format="%", tickCount=5)),
            color=alt.Color("of:N", title=None, scale=color),
        )
        .properties(title="Variance a reward would supply alone", width=220, height=max(60, 46 * rewards))
    )


def _against() -> Any:
    import altair as alt

    return (
        chart_of("ranks")
        .mark_circle(size=14, opacity=0.45)
        .encode(
            x=alt.X("run:Q", title="in the run"),
            y=alt.Y("replay:Q", title="replayed"),
            color=_kind_color(),
        )
        .properties(title="Advantage of every rank", width=240, height=220)
    )
