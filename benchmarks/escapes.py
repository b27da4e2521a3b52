"""What ways to earn reward without recommending anything good would earn, as a Markdown table.

    python benchmarks/escapes.py

The table is that of docs/escapes.md; tests/core/testing/test_escapes.py holds the page to it.
"""

from __future__ import annotations

from collections.abc import Iterator

from saferec_core import load_plugins
from saferec_core.config.schema import TrainConfig
from saferec_core.plugins.build import build
from saferec_core.rl.rewards import ActiveReward
from saferec_core.testing.escapes import POLICIES, escapes
from saferec_core.testing.probes import NUM_RANKS, PROBES


def default_rewards(**options: dict[str, object]) -> list[ActiveReward]:
    """Build the rewards of a run that says nothing about them, with the target of the probes."""
    plugins = load_plugins()
    return [
        ActiveReward(
            name,
            build(
                plugins.rewards.get(name),
                {**({"target": NUM_RANKS} if name == "count" else {}), **options.get(name, {})},
            ),
            choice.weight,
        )
        for name, choice in TrainConfig().rewards.items()
    ]


def table() -> Iterator[str]:
    """Yield the lines of the table: expected advantages of each completion, by siblings and normalizer."""
    plugins, columns = load_plugins(), []
    for normalizer in ("grpo", "gdpo"):
        measured = escapes(default_rewards(), build(plugins.normalizers.get(normalizer), {}))
        for policy in POLICIES:
            own = [escape for escape in measured if escape.policy == policy]
            columns.append([own[0].honest, own[0].ordinary, *(escape.advantage for escape in own)])
    heads = [f"{normalizer}, {policy}" for normalizer in ("grpo", "gdpo") for policy in POLICIES]
    yield f"| completion | {' | '.join(heads)} |"
    yield f"| --- |{' ---: |' * len(heads)}"
    for row, name in enumerate(["**an honest list**", "an ordinary list", *PROBES]):
        yield f"| {name} | {' | '.join(f'{column[row]:+.2f}' for column in columns)} |"


if __name__ == "__main__":
    print("\n".join(table()))
