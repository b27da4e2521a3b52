"""Rollouts as rows that can be looked at: what was written at each rank, and what it earned."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from saferec_core.models.decoding import NO_RANK
from saferec_core.models.token_decoders import NO_START
from saferec_core.plugins.contracts.entries import questions_of
from saferec_core.plugins.contracts.oracle import Evidence, Explaining, Oracle, Question, Verdict, explain

if TYPE_CHECKING:  # a report reads TOKENS_KEPT and needs no torch
    from saferec_core.plugins.contracts.judged_lists import JudgedLists
    from saferec_core.rl.rewards import ActiveReward
    from saferec_core.rl.rollouts import Rollouts, ScoredBatch

__all__ = ["TOKENS_KEPT", "rollout_rows"]

TOKENS_KEPT = 32
"""Completions of a generation batch whose tokens are kept, the first ones."""

_EVIDENCE_PER_TITLE = 3
_DETAIL_LENGTH = 300  # characters


def rollout_rows(batch: ScoredBatch, rewards: Sequence[ActiveReward]) -> Iterator[dict[str, Any]]:
    """Yield a row per completion, with every reward and advantage by rank (null: no value).

    ``tokens`` holds ``[rank index, [first character of each token, ...]]`` for each run of tokens that
    received the same advantage, in order: that of their rank or, where the rank index is null, the
    ``list_advantage``. A token that writes nothing, such as the end of the completion, has no first
    character. ``further`` holds the titles beside the first one of each line, judged with it.
    """
    lists = batch.rollouts.lists
    judged = lists.judge.oracle is not None
    for n, (text, parsed) in enumerate(zip(batch.rollouts.texts, lists.lists, strict=True)):
        shown = min(len(parsed.items), lists.num_ranks)
        yield {
            "step": batch.step,
            "record": int(batch.record_ids[n]),
            "prompt": list(lists.records[n].prompt),
            "constraints": list(lists.records[n].constraints),
            "groundtruth": [list(title) for title in lists.records[n].groundtruth],
            "completion": text,
            "titles": [[item.name, item.year] for item in parsed.items],
            "further": [[list(title) for title in item.further] for item in parsed.items],
            "events": [event.kind for event in parsed.events],
            "hit": lists.hits[n, :shown].tolist(),
            "in_catalog": lists.in_catalog[n, :shown].tolist(),
            "repeated": lists.repeated[n, :shown].tolist(),
            "seen": lists.seen[n, :shown].tolist(),
            "known": lists.known[n, :shown].tolist() if judged else None,
            "violated": [list(verdict.violated) for verdict in lists.verdicts[n]] if judged else None,
            "evidence": _evidence(lists, n),
            "reward": dict(_rewards(batch, rewards, n)),
            "advantage": batch.advantages.rank[n].tolist(),
            "list_advantage": batch.advantages.list[n].item(),
            "tokens": _tokens(batch.rollouts, n) if n < TOKENS_KEPT else None,
        }


def _rewards(batch: ScoredBatch, rewards: Sequence[ActiveReward], row: int) -> Iterator[tuple[str, Any]]:
    for reward, values in zip(rewards, batch.rollouts.rewards.by_function(rewards), strict=True):
        yield reward.name, values[row].tolist()


def _evidence(lists: JudgedLists, row: int) -> list[list[dict[str, Any]]] | None:
    """Return what each violation rests on, by rank; None without an oracle."""
    oracle = lists.judge.oracle
    if oracle is None:
        return None
    record, judge = lists.records[row], lists.judge
    asked = []
    for item in lists.lists[row].items:
        meant = judge.catalog.match(*item.title).title
        written = Question(*meant, record.constraints, judge.columns(record))
        further = (judge.question(title, record) for title in item.further)
        asked.append([*questions_of(judge.catalog, written), *further])
    return [
        [
            {**evidence._asdict(), "detail": evidence.detail[:_DETAIL_LENGTH]}
            for evidence in _explained(oracle, questions, verdict)[:_EVIDENCE_PER_TITLE]
        ]
        for questions, verdict in zip(asked, lists.verdicts[row], strict=False)  # verdicts: the first K
    ]


def _explained(oracle: Oracle, questions: Sequence[Question], verdict: Verdict) -> list[Evidence]:
    """Return the evidence for the violated traits: the oracle's, or the bare risks.

    The questions are about the titles of one line, which have one verdict.

    Raises:
        PluginError: The oracle failed to explain.
    """
    if not verdict.violated:
        return []
    if not isinstance(oracle, Explaining):
        return [Evidence(trait, verdict.risks.get(trait, math.nan), "", "") for trait in verdict.violated]
    evidences: list[Evidence] = []
    for question in questions:  # several of them may find the same
        evidences += [evidence for evidence in explain(oracle, question) if evidence not in evidences]
    return [evidence for evidence in evidences if evidence.trait in verdict.violated]


def _tokens(rollouts: Rollouts, row: int) -> list[list[Any]]:
    """Group a completion's tokens into runs of the same rank, or of none."""
    ranks, starts = rollouts.rank_ids[row].tolist(), rollouts.token_starts[row].tolist()
    return [
        [None if rank == NO_RANK else rank, [None if start == NO_START else start for _, start in run]]
        for rank, run in groupby(zip(ranks, starts, strict=True), key=lambda token: token[0])
    ]
