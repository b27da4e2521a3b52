"""Rollouts as rows that can be looked at: what was written at each rank, and what it earned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from saferec_core.rewards import ActiveReward

if TYPE_CHECKING:
    from saferec_core.trainers.rank_grpo import ScoredBatch

__all__ = ["rollout_rows"]


def rollout_rows(batch: ScoredBatch, rewards: Sequence[ActiveReward]) -> Iterator[dict[str, Any]]:
    """Yield a row per completion, with every reward and advantage by rank (null: no value)."""
    lists = batch.rollouts.lists
    judged = lists.judge.oracle is not None
    for n, (text, parsed) in enumerate(zip(batch.rollouts.texts, lists.lists, strict=True)):
        shown = min(len(parsed.items), lists.num_ranks)
        yield {
            "step": batch.step,
            "record": int(batch.record_ids[n]),
            "prompt": list(lists.records[n].prompt),
            "constraints": list(lists.records[n].constraints),
            "completion": text,
            "titles": [[item.name, item.year] for item in parsed.items],
            "events": [event.kind for event in parsed.events],
            "hit": lists.hits[n, :shown].tolist(),
            "in_catalog": lists.in_catalog[n, :shown].tolist(),
            "violated": [list(verdict.violated) for verdict in lists.verdicts[n]] if judged else None,
            "reward": dict(_rewards(batch, rewards, n)),
            "advantage": batch.advantages.rank[n].tolist(),
            "list_advantage": batch.advantages.list[n].item(),
        }


def _rewards(batch: ScoredBatch, rewards: Sequence[ActiveReward], row: int) -> Iterator[tuple[str, Any]]:
    by_rank = iter(batch.rollouts.rewards.rank[:, row])
    by_list = iter(batch.rollouts.rewards.list[:, row])
    for reward in rewards:
        yield reward.name, next(by_rank if reward.scope == "rank" else by_list).tolist()
