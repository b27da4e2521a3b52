"""Draw a replay as one SVG or PNG file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from saferec_core.files import replacing
from saferec_core.replay.run import KINDS, Replay

__all__ = ["draw_replay"]

_COLORS = {"hit": "#08684c", "violation": "#a3261b", "wasted": "#9a2c6f", "other": "#595f68"}
"""As in the report's style sheet, for light pages."""
_MOST_POINTS = 3000
_RUN, _REPLAY = "run", "replay"


def draw_replay(shown: Replay, out: Path) -> None:
    """Draw advantages by rank, shares of the variance and, where it is stored, the run's own against them.

    Args:
        shown: The replay.
        out: The file, which ends with ``.svg`` or ``.png``. It is there whole or not at all.
    """
    import vl_convert

    spec: dict[str, Any] = _chart(shown).to_dict()
    with replacing(out) as draft:
        if out.suffix == ".svg":
            draft.write_text(vl_convert.vegalite_to_svg(spec), encoding="utf-8")
        else:
            draft.write_bytes(vl_convert.vegalite_to_png(spec, scale=2))


def _chart(shown: Replay) -> Any:
    import altair as alt

    charts = [_by_rank(shown), _shares(shown)]
    if shown.is_compared:
        charts.append(_against(shown))
    rewards = ", ".join(f"{name} × {weight:g}" for name, weight in shown.rewards.items())
    title = f"{shown.source.parent.name}: {rewards}; {shown.normalizer}"
    return (
        alt.hconcat(*charts, spacing=40)
        .resolve_scale(color="independent", strokeDash="independent")
        .properties(title=title, background="white")
    )


def _by_rank(shown: Replay) -> Any:
    import altair as alt

    rows = [
        {"rank": row.rank, "kind": kind, "of": of, "advantage": mean}
        for row in shown.by_rank
        for kind, means in row.means.items()
        for of, mean in zip((_RUN, _REPLAY), means, strict=True)
        if mean is not None
    ]
    color = alt.Color("kind:N", title=None, scale=alt.Scale(domain=list(KINDS), range=list(_COLORS.values())))
    dash = alt.StrokeDash("of:N", title=None, scale=alt.Scale(domain=[_REPLAY, _RUN], range=[[1, 0], [4, 3]]))
    return (
        alt.Chart(alt.Data(values=rows), title="Mean advantage by rank")
        .mark_line(point=True)
        .encode(
            x=alt.X("rank:O", title="rank", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("advantage:Q", title=None),
            color=color,
            strokeDash=dash,
        )
        .properties(width=260, height=220)
    )


def _shares(shown: Replay) -> Any:
    import altair as alt

    rows = [
        {"reward": name, "of": of, "share": share}
        for name, shares in shown.shares.items()
        for of, share in zip((_RUN, _REPLAY), shares, strict=True)
        if share is not None
    ]
    return (
        alt.Chart(alt.Data(values=rows), title="Variance that a reward would supply alone")
        .mark_bar()
        .encode(
            y=alt.Y("reward:N", title=None),
            yOffset=alt.YOffset("of:N", sort=[_RUN, _REPLAY]),
            x=alt.X("share:Q", title=None, axis=alt.Axis(format="%", tickCount=5)),
            color=alt.Color(
                "of:N", title=None, scale=alt.Scale(domain=[_RUN, _REPLAY], range=["#b9b3a6", "#2a6cb3"])
            ),
        )
        .properties(width=220, height=max(60, 46 * len(shown.shares)))
    )


def _against(shown: Replay) -> Any:
    import altair as alt

    every = -(-len(shown.pairs) // _MOST_POINTS)
    rows = [{"run": own, "replay": new, "kind": kind} for own, new, kind in shown.pairs[:: max(1, every)]]
    return (
        alt.Chart(alt.Data(values=rows), title="Advantage of every rank")
        .mark_circle(size=14, opacity=0.45)
        .encode(
            x=alt.X("run:Q", title="in the run"),
            y=alt.Y("replay:Q", title="replayed"),
            color=alt.Color(
                "kind:N", title=None, scale=alt.Scale(domain=list(KINDS), range=list(_COLORS.values()))
            ),
        )
        .properties(width=240, height=220)
    )
