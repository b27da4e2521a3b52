"""The trainer of Safe-Rank-GRPO with all that listens to it: logs, alarms, evaluations in between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from saferec_core.analysis.checkpoint_rule import Rule
from saferec_core.config.schema import TrainConfig
from saferec_core.data.truncate import Fitted
from saferec_core.evaluation.setup import Parts
from saferec_core.models.decoding import TokenAligner, check_line_breaks
from saferec_core.models.generation import PolicyGenerator
from saferec_core.models.loading import end_token_ids
from saferec_core.plugins.contracts.alarm import Alarm
from saferec_core.plugins.contracts.lifecycle import RolloutsScored
from saferec_core.plugins.contracts.normalizer import Normalizer
from saferec_core.plugins.offered import Plugins
from saferec_core.rl.limits import Limits
from saferec_core.rl.rewards import ActiveReward
from saferec_core.rl.rollout_log import rollout_rows
from saferec_core.rl.rollouts import RolloutScorer
from saferec_core.runs.distributed import gathered, is_main
from saferec_core.runs.folder import RunFolder
from saferec_core.runs.observer import Observer
from saferec_core.runs.references import Reference
from saferec_core.runs.resuming import OpenRun
from saferec_core.runs.stopping import Stop
from saferec_core.training.alarms import AlarmWatch
from saferec_core.training.before_after import greedy_means

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from saferec_core.rl.rollouts import ScoredBatch

__all__ = ["RankGRPORun", "watched_trainer"]


@dataclass(frozen=True)
class RankGRPORun:
    """What the steps of one run share."""

    config: TrainConfig
    plugins: Plugins
    parts: Parts
    rewards: Sequence[ActiveReward]
    normalizer: Normalizer
    limits: Limits
    alarms: Mapping[str, Alarm]
    rule: Rule | None
    """What chooses the checkpoint to keep; None: the last state is kept."""
    folder: RunFolder
    observer: Observer
    optimizer: str
    """The optimizer, with the reason for it."""
    opened: OpenRun
    """Where the run continues, if it does."""
    stop: Stop
    """Whether the run is asked to end."""


def watched_trainer(
    run: RankGRPORun,
    start: str,
    reference: Reference | None,
    tokenizer: PreTrainedTokenizerBase,
    fitted: Fitted,
) -> Any:
    """Set up the trainer, with this run's folder and observer listening."""
    from saferec_core.training.trl.callbacks import Watcher, watch
    from saferec_core.training.trl.grpo_setup import rank_grpo_trainer  # imports TRL
    from saferec_core.training.trl.held_out import HeldOutCheck
    from saferec_core.training.trl.shared_scoring import report_sharing
    from saferec_core.training.trl.update_check import check_precision
    from saferec_core.training.trl.whole import can_be_sharded, policy_of

    config = run.config
    check_line_breaks(tokenizer)
    scorer = RolloutScorer(
        records=fitted.records,
        parser=run.parts.parser,
        judge=run.parts.judge,
        rewards=run.rewards,
        num_ranks=config.num_ranks,
        aligner=TokenAligner(tokenizer),
        end_ids=end_token_ids(start, tokenizer, config.model),
    )

    def keep(batch: ScoredBatch) -> None:
        if (batch.step - 1) % config.rollout_steps == 0:
            parts = gathered(list(rollout_rows(batch, run.rewards)))
            if is_main():
                rows = list(chain.from_iterable(parts))
                run.folder.append(run.folder.rollouts, rows)
                run.observer.happened(RolloutsScored(batch.step, rows))

    trainer = rank_grpo_trainer(
        start,
        tokenizer,
        config,
        scorer=scorer,
        normalizer=run.normalizer,
        output_dir=run.folder.checkpoints,
        on_rollouts=keep,
        limits=run.limits,
        reference=None if reference is None else reference.policy,
    )
    alarms = AlarmWatch(run.alarms, run.observer, stop=run.stop if config.alarms.stop_on_alarm else None)
    watch(trainer, Watcher("Safe-Rank-GRPO", run.folder, run.observer, alarms), config)
    if config.eval_steps is not None:

        def held_out() -> dict[str, float]:
            with policy_of(trainer, tokenizer) as policy:
                generator = PolicyGenerator(policy, sharded=can_be_sharded(trainer))
                return greedy_means(config, run.parts, run.plugins, generator)

        trainer.add_callback(HeldOutCheck(trainer, config.eval_steps, held_out))
    engine = "vLLM" if config.rollout.use_vllm else "transformers, the trained model itself"
    check_precision(trainer, config, run.folder, run.observer, engine=engine)
    if is_main():
        report_sharing(trainer.sharing, run.folder, run.observer)
    return trainer
