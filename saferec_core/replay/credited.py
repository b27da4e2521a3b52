"""What a configuration credits to stored completions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Bool
from torch import Tensor

from saferec_core.config.schema import TrainConfig
from saferec_core.errors import UnknownNameError
from saferec_core.evaluation.setup import Parts, assemble
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.contracts.normalizer import Advantages, Normalizer
from saferec_core.plugins.contracts.parser import parse
from saferec_core.plugins.offered import Plugins
from saferec_core.replay.stored import StoredBatch
from saferec_core.rl.credit import credit
from saferec_core.rl.figures import CreditedBatch
from saferec_core.rl.rewards import ActiveReward, score
from saferec_core.training.setup import build_normalizer, build_rewards

__all__ = ["Credited", "Recipe", "columns_needed", "stored_advantages"]


@dataclass(frozen=True)
class Credited:
    """The advantages of N completions, and what they were given for."""

    advantages: Advantages
    rank_mask: Bool[Tensor, "N K"]
    """Which ranks were written."""
    kinds: npt.NDArray[np.str_]
    """(N, K): ``"hit"``, ``"violation"``, ``"wasted"``, ``"other"``, or nothing where no rank was written.
    A rank that is several counts as a violation, then as wasted."""
    shares: dict[str, float]
    """By reward, how much of the advantages' variance it would supply alone; mean over batches by size."""


@dataclass(frozen=True)
class Recipe:
    """Rewards, weights and normalizer of a configuration, with what they judge lists by."""

    parts: Parts
    rewards: Sequence[ActiveReward]
    normalizer: Normalizer
    num_ranks: int

    @classmethod
    def of(cls, config: TrainConfig, plugins: Plugins) -> Recipe:
        """Build what a configuration names; its records are not read.

        Raises:
            SaferecError: A component, catalog or oracle is missing or does not fit.
        """
        data = config.data.model_copy(update={"validation_path": None, "test_path": None, "transforms": []})
        rewards = build_rewards(config, plugins)
        parts = assemble(config.model_copy(update={"data": data}), plugins, train=False)
        return cls(parts, rewards, build_normalizer(config, plugins), config.num_ranks)

    def credit(self, batches: Sequence[StoredBatch], stored: Advantages | None = None) -> Credited:
        """Score and credit stored completions, batch by batch.

        Args:
            batches: Batches of N completions.
            stored: What a run has credited to them; the shares are then those of its variance.

        Raises:
            UnknownNameError: A record has a constraint that the oracle cannot judge.
            RewardError: A reward function broke its contract.
        """
        self._check_traits(batches)
        parts, first = [], 0
        for batch in batches:
            rows = slice(first, first + len(batch.completions))
            first = rows.stop
            of_batch = None if stored is None else Advantages(stored.rank[rows], stored.list[rows])
            parts.append(self._credit(batch, of_batch))
        sizes = [len(batch.completions) for batch in batches]
        names = [reward.name for reward in self.rewards]
        return Credited(
            Advantages(
                rank=torch.cat([part.advantages.rank for part in parts]),
                list=torch.cat([part.advantages.list for part in parts]),
            ),
            torch.cat([part.rank_mask for part in parts]),
            np.concatenate([part.kinds for part in parts]),
            {name: float(np.average([part.shares[name] for part in parts], weights=sizes)) for name in names},
        )

    def _credit(self, batch: StoredBatch, stored: Advantages | None) -> Credited:
        lists = JudgedLists(
            [parse(self.parts.parser, each.text, finished=each.finished) for each in batch.completions],
            [each.record for each in batch.completions],
            self.parts.judge,
            self.num_ranks,
        )
        values = score(self.rewards, lists)
        mask = lists.rank_mask
        advantages = credit(self.rewards, values, self.normalizer, mask, batch.group_size)
        credited = CreditedBatch(
            self.rewards, values, self.normalizer, mask, batch.group_size, stored or advantages
        )
        return Credited(advantages, mask, self._kinds(lists), credited.shares_of_variance())

    def _kinds(self, lists: JudgedLists) -> npt.NDArray[np.str_]:
        kinds = np.where(lists.rank_mask.numpy(), "other", "").astype("<U9")
        for name, where in (("hit", lists.hits), ("wasted", lists.wasted)):
            kinds[where.numpy()] = name
        if self.parts.judge.oracle is not None:
            kinds[lists.violations.numpy()] = "violation"
        return kinds

    def _check_traits(self, batches: Sequence[StoredBatch]) -> None:
        oracle = self.parts.judge.oracle
        if oracle is None:
            return
        traits = oracle.traits  # which may be a rule that answers `in`
        for trait in sorted(
            {t for batch in batches for each in batch.completions for t in each.record.constraints}
        ):
            if trait not in traits:
                raise UnknownNameError(
                    "trait",
                    trait,
                    traits,
                    hint="It is a constraint of the rollouts; the oracle judges others.",
                )


def stored_advantages(batches: Sequence[StoredBatch], num_ranks: int) -> Advantages | None:
    """Return the advantages that the run has stored; None unless every completion has them.

    Ranks beyond what is stored are 0, those beyond *num_ranks* are left out. One advantage of the whole
    completion is that of each of its ranks.
    """
    completions = [each for batch in batches for each in batch.completions]
    by_rank = torch.zeros(len(completions), num_ranks)
    of_list = torch.zeros(len(completions))
    for row, each in enumerate(completions):
        if each.rank_advantages is None or each.list_advantage is None:
            return None
        stored = torch.tensor(each.rank_advantages[:num_ranks])
        by_rank[row, : num_ranks if each.is_of_list else len(stored)] = stored
        of_list[row] = each.list_advantage
    return Advantages(rank=by_rank, list=of_list)


def columns_needed(rewards: Sequence[ActiveReward]) -> dict[str, str]:
    """Return the columns that rewards need, each with who needs it."""
    return {column: f"reward {reward.name!r}" for reward in rewards for column in reward.function.columns}
