"""Rollouts: completions with everything that was measured on them."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Int

from saferec_core.data.records import Record
from saferec_core.models.decoding import TokenAligner
from saferec_core.plugins.calls import overseen
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.contracts.normalizer import Advantages
from saferec_core.plugins.contracts.parser import ListParser, parse_all
from saferec_core.plugins.contracts.run_context import RunContext
from saferec_core.rl.ranks import assign_ranks
from saferec_core.rl.rewards import ActiveReward, RewardValues, score

__all__ = ["RolloutScorer", "Rollouts"]


@dataclass(frozen=True)
class Rollouts:
    """N completions, parsed once, judged and rewarded."""

    texts: Sequence[str]
    rank_ids: Sequence[Int[np.ndarray, " T"]]
    """For each completion the rank index k of each of its tokens, or ``NO_RANK``."""
    token_starts: Sequence[Int[np.ndarray, " T"]]
    """For each completion the index of each token's first character, or ``NO_START``."""
    lists: JudgedLists
    rewards: RewardValues

    def with_rows(self, rows: Sequence[int], others: Rollouts) -> Rollouts:
        """Return these rollouts with *others* in place of those at *rows*."""

        def mixed(own: Sequence[Any], new: Sequence[Any]) -> list[Any]:
            values = list(own)
            for row, value in zip(rows, new, strict=True):
                values[row] = value
            return values

        return Rollouts(
            texts=mixed(self.texts, others.texts),
            rank_ids=mixed(self.rank_ids, others.rank_ids),
            token_starts=mixed(self.token_starts, others.token_starts),
            lists=replace(
                self.lists,
                lists=mixed(self.lists.lists, others.lists.lists),
                records=mixed(self.lists.records, others.lists.records),
            ),
            rewards=self.rewards.with_rows(rows, others.rewards),
        )


class RolloutScorer:
    """Turns token ids into rewards by rank: decode, parse, judge, reward."""

    def __init__(
        self,
        *,
        records: Sequence[Record],
        parser: ListParser,
        judge: Judge,
        rewards: Sequence[ActiveReward],
        num_ranks: int,
        aligner: TokenAligner,
        end_ids: frozenset[int],
    ) -> None:
        """Keep the parts.

        Args:
            records: The training records; a rollout names its own by position.
            parser: Reads titles out of a completion.
            judge: Catalog and oracle.
            rewards: The reward functions of the run, in order.
            num_ranks: K.
            aligner: Decodes token ids, and finds where in the text each token starts.
            end_ids: Token ids that end a completion; one without them was cut off.
        """
        self.records = records
        self.parser = parser
        self.judge = judge
        self.rewards = rewards
        self.num_ranks = num_ranks
        self.aligner = aligner
        self.end_ids = end_ids

    def __call__(
        self,
        completion_ids: Sequence[Sequence[int]],
        record_ids: Sequence[int],
        context: RunContext | None = None,
    ) -> Rollouts:
        """Score completions, given as token ids, of the records at *record_ids*.

        Args:
            completion_ids: The token ids of each.
            record_ids: The position of the record that each answers.
            context: Where in a run they were written.

        Raises:
            RewardError: A reward function broke its contract.
        """
        with collected_later():
            decoded = self.aligner.decode_all(completion_ids)
            texts, token_starts = [text for text, _ in decoded], [starts for _, starts in decoded]
            finished = [bool(ids) and ids[-1] in self.end_ids for ids in completion_ids]
            with overseen():
                lists = parse_all(self.parser, texts, finished)
                judged = JudgedLists(
                    lists=lists,
                    records=[self.records[position] for position in record_ids],
                    judge=self.judge,
                    num_ranks=self.num_ranks,
                    context=context or RunContext(),
                )
                values = score(self.rewards, judged)
            rank_ids = assign_ranks(token_starts, lists, self.num_ranks)
        return Rollouts(texts, rank_ids, token_starts, judged, values)


@contextmanager
def collected_later() -> Iterator[None]:
    """Put off garbage collections.

    Scoring a batch makes tens of thousands of tuples, and so sets off collections, which find nothing but go
    through all that the process holds.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@dataclass(frozen=True)
class ScoredBatch:
    """The rollouts of one generation batch on this process, with their advantages."""

    step: int
    record_ids: Sequence[int]
    rollouts: Rollouts
    advantages: Advantages
