"""Replay stored completions, and compare what is credited with what the run has stored."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy.stats import spearmanr
from torch import Tensor

from saferec_core.config.schema import TrainConfig
from saferec_core.errors import SaferecError
from saferec_core.plugins.contracts.normalizer import Advantages
from saferec_core.plugins.offered import Plugins
from saferec_core.replay.credited import Credited, Recipe, columns_needed, stored_advantages
from saferec_core.replay.stored import Completion, StoredBatch, read_batches

__all__ = ["KINDS", "RankMeans", "Replay", "SignChange", "replay"]

KINDS = ("hit", "violation", "wasted", "other")
"""What a rank may be; one that is several counts as a violation, then as wasted."""

_NONE = 1e-6
"""An advantage of this size has no sign."""


@dataclass(frozen=True)
class RankMeans:
    """Mean advantages at one rank."""

    rank: int
    """From 1."""
    means: Mapping[str, tuple[float | None, float | None]]
    """By kind of title, the run's own and the replayed; None where no rank is so, or nothing is stored."""


@dataclass(frozen=True)
class SignChange:
    """A completion that the run encouraged and the replay discourages, or the reverse."""

    name: str
    text: str
    before: float
    """Mean advantage over its written ranks, of the run."""
    after: float


@dataclass(frozen=True)
class Replay:
    """What would have been credited."""

    source: Path
    completions: int
    batches: int
    group_size: int
    rewards: Mapping[str, float]
    """Weights by name."""
    normalizer: str
    by_rank: Sequence[RankMeans]
    shares: Mapping[str, tuple[float | None, float | None]]
    """By reward, the share of the variance of the run's own advantages and of the replayed ones that it would
    supply alone; None where it was not among the rewards, or nothing is stored."""
    correlation: float | None
    """Spearman's, between the advantages of all written ranks; None where nothing is stored or varies."""
    ranks_changed: float | None
    """Share of the written ranks whose advantage changes its sign."""
    changes: Sequence[SignChange]
    """Completions whose mean advantage changes its sign, the largest change first."""
    pairs: Sequence[tuple[float, float, str]]
    """Of every written rank, the run's own advantage, the replayed one and the kind."""
    notes: Sequence[str]

    @property
    def is_compared(self) -> bool:
        """Whether the run's own advantages are stored."""
        return self.ranks_changed is not None

    def as_data(self) -> dict[str, Any]:
        """Return everything but the single ranks, as JSON has it."""
        return {
            "source": str(self.source),
            "completions": self.completions,
            "batches": self.batches,
            "completions_per_prompt": self.group_size,
            "rewards": dict(self.rewards),
            "normalizer": self.normalizer,
            "advantage_by_rank": [
                {
                    "rank": row.rank,
                    **{kind: {"run": own, "replay": new} for kind, (own, new) in row.means.items()},
                }
                for row in self.by_rank
            ],
            "share_of_variance": {
                name: {"run": own, "replay": new} for name, (own, new) in self.shares.items()
            },
            "rank_correlation": self.correlation,
            "ranks_with_another_sign": self.ranks_changed,
            "completions_with_another_sign": [vars(change) for change in self.changes],
            "notes": list(self.notes),
        }


def replay(path: Path, config: TrainConfig, plugins: Plugins, *, own: TrainConfig | None = None) -> Replay:
    """Credit stored completions as *config* says.

    Args:
        path: File of rollouts; see :func:`saferec_core.replay.stored.read_batches`.
        config: Rewards, weights, normalizer, parser, catalog and oracle.
        plugins: What is installed.
        own: The configuration that the rollouts were made with, if it is known.

    Raises:
        SaferecError: Whatever the user can put right.
    """
    recipe = Recipe.of(config, plugins)
    batches = read_batches(path, columns_needed(recipe.rewards))
    new = recipe.credit(batches)
    stored = stored_advantages(batches, config.num_ranks)
    of_run, caveats = None, list[str]()
    if own is not None and stored is not None:
        of_run, caveats = _of_run(own, config, plugins, batches, stored)
    completions = [each for batch in batches for each in batch.completions]
    pairs = _pairs(stored, new)
    return Replay(
        source=path,
        completions=len(completions),
        batches=len(batches),
        group_size=batches[0].group_size,
        rewards={reward.name: reward.weight for reward in recipe.rewards},
        normalizer=config.normalizer.name,
        by_rank=_by_rank(stored, new, config.num_ranks),
        shares=_shares(of_run, new),
        correlation=_correlation(pairs) if stored is not None else None,
        ranks_changed=_ranks_changed(pairs) if stored is not None else None,
        changes=[] if stored is None else _sign_changes(completions, stored, new),
        pairs=pairs if stored is not None else [],
        notes=[*caveats, *_notes(batches, stored, own, config)],
    )


def _of_run(
    own: TrainConfig,
    config: TrainConfig,
    plugins: Plugins,
    batches: Sequence[StoredBatch],
    stored: Advantages,
) -> tuple[Credited | None, list[str]]:
    """Return what supplied the run's own advantages, and what to say of it.

    A run that comes from another machine names files that are not here, and perhaps plugins: where its own
    catalog and oracle cannot be had, those of the replay take their place, and where its rewards cannot, the
    run's side is left out.
    """
    with suppress(SaferecError):
        return Recipe.of(own, plugins).credit(batches, stored), []
    here = own.model_copy(update={"data": config.data, "oracle": config.oracle})
    try:
        credited = Recipe.of(here, plugins).credit(batches, stored)
    except SaferecError as error:
        return None, [f"What supplied the variance in the run is left out: {error}"]
    caveat = (
        "The run's own catalog or oracle cannot be read here; what supplied the variance in the run is "
        "computed with those of the replay."
    )
    return credited, [caveat]


def _pairs(stored: Advantages | None, new: Credited) -> list[tuple[float, float, str]]:
    mask = new.rank_mask
    replayed = new.advantages.rank[mask].tolist()
    own = [math.nan] * len(replayed) if stored is None else stored.rank[mask].tolist()
    return list(zip(own, replayed, new.kinds[mask.numpy()].tolist(), strict=True))


def _by_rank(stored: Advantages | None, new: Credited, num_ranks: int) -> list[RankMeans]:
    rows = []
    for rank in range(num_ranks):
        means: dict[str, tuple[float | None, float | None]] = {}
        for kind in KINDS:
            where = torch.from_numpy(new.kinds[:, rank] == kind)
            own = None if stored is None else _mean(stored.rank[where, rank])
            means[kind] = own, _mean(new.advantages.rank[where, rank])
        rows.append(RankMeans(rank + 1, means))
    return [row for row in rows if any(mean is not None for _, mean in row.means.values())]


def _mean(values: Float[Tensor, " M"]) -> float | None:
    return values.mean().item() if len(values) else None


def _shares(own: Credited | None, new: Credited) -> dict[str, tuple[float | None, float | None]]:
    before = {} if own is None else own.shares
    return {name: (before.get(name), new.shares.get(name)) for name in {**before, **new.shares}}


def _correlation(pairs: Sequence[tuple[float, float, str]]) -> float | None:
    own, replayed = np.array([pair[:2] for pair in pairs]).reshape(-1, 2).T
    if len(own) < 2 or np.ptp(own) == 0 or np.ptp(replayed) == 0:
        return None
    return float(spearmanr(own, replayed).statistic)


def _ranks_changed(pairs: Sequence[tuple[float, float, str]]) -> float:
    return sum(_flips(own, replayed) for own, replayed, _ in pairs) / max(1, len(pairs))


def _flips(own: float, replayed: float) -> bool:
    return own * replayed < 0 and min(abs(own), abs(replayed)) > _NONE


def _sign_changes(completions: Sequence[Completion], stored: Advantages, new: Credited) -> list[SignChange]:
    before = _of_completions(stored, new)
    after = _of_completions(new.advantages, new)
    changes = [
        SignChange(each.name, each.text, own, replayed)
        for each, own, replayed in zip(completions, before, after, strict=True)
        if _flips(own, replayed)
    ]
    return sorted(changes, key=lambda change: -abs(change.after - change.before))


def _of_completions(advantages: Advantages, credited: Credited) -> list[float]:
    """Return each completion's mean advantage over its written ranks; of an empty list that of its end."""
    written = credited.rank_mask.sum(1)
    means = (advantages.rank * credited.rank_mask).sum(1) / written.clamp(min=1)
    of_completions: list[float] = torch.where(written > 0, means, advantages.list).tolist()
    return of_completions


def _notes(
    batches: Sequence[StoredBatch], stored: Advantages | None, own: TrainConfig | None, config: TrainConfig
) -> list[str]:
    notes = []
    if stored is None:
        notes.append("The rollouts hold no advantages, so there is nothing to compare with.")
    if own is not None and own.limits.limit:
        notes.append(
            f"The run also charged for its limits ({', '.join(own.limits.limit)}); a replay leaves them out."
        )
    elif config.limits.limit:
        notes.append("Limits are not replayed: their multipliers adapt during training.")
    if len({batch.group_size for batch in batches}) > 1:
        notes.append("Generation batches have different numbers of completions per prompt.")
    if all(batch.step is None for batch in batches):
        notes.append("The rows name no step, so all of them are normalized as one generation batch.")
    return notes
