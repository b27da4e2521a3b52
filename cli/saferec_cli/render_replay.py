"""What a replay has credited, in tables."""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from saferec_cli.consoles import PlainConsole
from saferec_core.replay.run import KINDS, Replay

__all__ = ["replayed"]

_TITLES = {"hit": "hits", "violation": "violations", "wasted": "wasted", "other": "others"}


def replayed(result: Replay, *, shown: int) -> None:
    """Print a replay; of the completions with another sign the first *shown*."""
    console = PlainConsole()
    rewards = ", ".join(f"{name} x {weight:g}" for name, weight in result.rewards.items())
    console.print(
        f"{result.completions:,} completions, {result.group_size} per prompt, in {result.batches:,} "
        f"generation batches; rewards {escape(rewards)}; normalizer {escape(result.normalizer)}.",
        highlight=False,
    )
    arrow = ", in the run → replayed" if result.is_compared else ""
    console.print(f"\n[bold]Mean advantage by rank{arrow}[/]")
    console.print(_by_rank(result))
    console.print("\n[bold]Share of the advantages' variance that each reward would supply alone[/]")
    console.print(_shares(result))
    console.print()
    if result.is_compared:
        _comparison(console, result, shown)
    for note in result.notes:
        console.print(escape(note), highlight=False)


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    return table


def _by_rank(result: Replay) -> Table:
    table = _table("rank", *(_TITLES[kind] for kind in KINDS))
    for row in result.by_rank:
        means = [row.means[kind] for kind in KINDS]
        table.add_row(str(row.rank), *(_pair(own, new, "+.2f", both=own is not None) for own, new in means))
    return table


def _shares(result: Replay) -> Table:
    compared = any(own is not None for own, _ in result.shares.values())
    table = _table("reward", "in the run → replayed" if compared else "share")
    for name, shares in result.shares.items():
        table.add_row(escape(name), _pair(*shares, ".0%", both=compared))
    return table


def _pair(own: float | None, replayed: float | None, form: str, *, both: bool) -> str:
    """Write what was replayed, behind what the run credited if *both* are to be seen; "-" is no value."""
    shown = (own, replayed) if both else (replayed,)
    return " → ".join("-" if value is None else format(value, form) for value in shown)


def _comparison(console: Console, result: Replay, shown: int) -> None:
    if result.correlation is None:
        console.print(
            "Rank correlation with the run's own advantages: none, since one of the two does not vary."
        )
    else:
        console.print(
            f"Rank correlation (Spearman) with the run's own advantages: {result.correlation:.3f}",
            highlight=False,
        )
    changed = len(result.changes)
    console.print(
        f"Another sign: {result.ranks_changed:.1%} of the ranks, and the mean of {changed:,} of "
        f"{result.completions:,} completions ({changed / result.completions:.1%})"
        f"{', the largest changes first:' if changed else '.'}",
        highlight=False,
    )
    for change in result.changes[:shown]:
        head = f"  {change.name}: {change.before:+.2f} → {change.after:+.2f}"
        console.print(escape(head), highlight=False)
        titles = escape(" | ".join(change.text.splitlines()))
        console.print(f"    [dim]{titles}[/]", highlight=False, no_wrap=True, overflow="ellipsis")
