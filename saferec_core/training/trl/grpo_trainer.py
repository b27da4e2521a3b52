"""Safe-Rank-GRPO on TRL's ``GRPOTrainer``.

This module alone knows TRL's internals, and it copies none of them. It relies on

- the reward-function protocol (public): ``f(completion_ids=..., log_metric=..., **columns)``;
- ``_generate_and_score_completions``: the dictionary that it returns is completed;
- ``_generate``: takes the list of prompts that is read afterwards too, and returns token ids of prompts and
  completions first, then further lists with an entry for each prompt;
- ``_compute_loss``: takes advantages of shape (B, T) and reads ``old_per_token_logps`` after
- ``_get_per_token_logps_and_entropies``, of whose result only the log probabilities are read.

`compatibility.check_trl` refuses a TRL in which any of this has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from trl import GRPOConfig, GRPOTrainer

from saferec_core.config.sections import LimitsConfig
from saferec_core.errors import SaferecError
from saferec_core.models.adapters import without_adapters
from saferec_core.models.decoding import NO_RANK
from saferec_core.models.finite import only_finite_logits
from saferec_core.models.four_bit import keep_trainable
from saferec_core.plugins.contracts.normalizer import Advantages, Normalizer
from saferec_core.plugins.contracts.run_context import RunContext
from saferec_core.rl.credit import credit
from saferec_core.rl.figures import CreditedBatch, ListedRanks, figures_of_lists, means_by_reward
from saferec_core.rl.limits import LimitedRanks, Limits
from saferec_core.rl.loss import RankWeighting
from saferec_core.rl.ranks import rank_mean, rank_ratio, rank_weights, spread
from saferec_core.rl.rewards import RewardValues
from saferec_core.rl.rollouts import Rollouts, RolloutScorer, ScoredBatch
from saferec_core.training.trl.compact_head import compact_head
from saferec_core.training.trl.compatibility import check_settings, check_trl
from saferec_core.training.trl.finiteness import check_loss
from saferec_core.training.trl.group_order import chunks_of_whole_groups, whole_groups
from saferec_core.training.trl.phases import Phased
from saferec_core.training.trl.prompt_order import OrderedPrompts
from saferec_core.training.trl.resampling import DynamicSampling
from saferec_core.training.trl.resumable import Resumable, parts_with_state
from saferec_core.training.trl.separate_reference import load_reference, without_reference
from saferec_core.training.trl.shared_scoring import (
    PASSES_AT_ONCE,
    SharedScoring,
    SharePrefix,
    engine_obstacle,
)

__all__ = ["RankGRPOTrainer"]


class RankGRPOTrainer(Phased, OrderedPrompts, DynamicSampling, Resumable, GRPOTrainer):  # type: ignore[misc]  # TRL ships no types
    """``GRPOTrainer`` in which every rank has its own reward, advantage and importance ratio.

    Its loss is :func:`saferec_core.rl.loss.rank_grpo_loss`.
    """

    starts_with = "--sft-checkpoint"
    _buffered_inputs: list[dict[str, Any]]
    """Of TRL: the micro-batches of the generation batch in use; None before the first."""

    def __init__(
        self,
        model: Any,
        *,
        scorer: RolloutScorer,
        normalizer: Normalizer,
        args: GRPOConfig,
        limits: Limits | None = None,
        reference: str | None = None,
        rank_weighting: RankWeighting = "ranks",
        share_prefix: SharePrefix = "auto",
        max_resample: int = 0,
        on_rollouts: Callable[[ScoredBatch], None] | None = None,
        **kwargs: Any,
    ) -> None:
        """Set up TRL's trainer with one reward function: the scorer.

        Args:
            model: The policy, as for ``GRPOTrainer``.
            scorer: Turns completions into rewards by rank. The training dataset needs a column
                ``record`` with the position of the record in ``scorer.records``.
            normalizer: Turns rewards into advantages.
            args: TRL's configuration; ``loss_type`` must be that of ``LOSS_TYPES``.
            limits: What is charged beside the rewards, at multipliers that adapt; None: nothing.
            reference: Policy that the KL divergence is measured from, a folder or an id on the hub; None:
                *model* as it is now.
            rank_weighting: What counts alike in the loss of a completion.
            share_prefix: Whether a prompt is computed once for all of its completions.
            max_resample: Rounds of further prompts in place of those that the normalizer calls uninformative.
            on_rollouts: Called with every scored generation batch, on every process.
            kwargs: Further arguments of ``GRPOTrainer``.

        Raises:
            SaferecError: The installed TRL is not one that this class can build on, or a setting of
                TRL does not go with rank-level ratios.
        """
        check_trl()
        check_settings(args, rank_weighting)
        self._scorer = scorer
        self._normalizer = normalizer
        self._limits = limits or Limits((), LimitsConfig())
        self._rank_weighting = rank_weighting
        self.max_resample = max_resample
        self._on_rollouts = on_rollouts
        self._scored: tuple[Sequence[int], Rollouts] | None = None
        self._loss_inputs: dict[str, Any] | None = None
        if reference is None or not args.beta:
            super().__init__(model, reward_funcs=self._score, args=args, **kwargs)
        else:
            with without_reference(args):
                super().__init__(model, reward_funcs=self._score, args=args, **kwargs)
            load_reference(self, reference, kwargs.get("quantization_config"))
        self.sharing = SharedScoring(share_prefix)
        models = [self.bare_policy]
        if self.ref_model is not None:
            models.append(self.accelerator.unwrap_model(self.ref_model))
        if kwargs.get("quantization_config") is not None:
            for each in models:
                keep_trainable(each)
        self.sharing.prepare(models, self.temperature, engine_obstacle(self.accelerator))

    @property
    def bare_policy(self) -> Any:
        """The policy as transformers knows it: without the wrappers of adapters and processes."""
        return without_adapters(self.accelerator.unwrap_model(self.model))

    def _prepare_inputs(self, generation_batch: Any) -> Any:
        """Let TRL generate, shuffle and split a batch, then put siblings into the same micro-batch."""
        before = self._buffered_inputs
        inputs = super()._prepare_inputs(generation_batch)
        if self.model.training and self._buffered_inputs is not before and self.sharing.reason is None:
            self._buffered_inputs = whole_groups(self._buffered_inputs)
            inputs = self._buffered_inputs[self._step % self.args.steps_per_generation]
        return inputs

    def stateful_parts(self) -> Mapping[str, Any]:
        """Return the plugins that have a state of their own."""
        rewards = {f"reward {reward.name}": reward.function for reward in self._scorer.rewards}
        return parts_with_state({**rewards, "normalizer": self._normalizer, "limits": self._limits})

    def _score(
        self,
        completion_ids: Sequence[Sequence[int]],
        record: Sequence[int],
        log_metric: Callable[[str, float], None],
        **_: Any,
    ) -> list[float]:
        """Score one batch; TRL gets a scalar per completion, which it only logs."""
        rollouts = self._prepared or self._rolled_out(completion_ids, record)
        self._prepared = None
        self._scored = (record, rollouts)
        active = self._scorer.rewards
        for name, value in rollouts.lists.context.figures.items():
            log_metric(name, value)
        weights = [reward.weight for reward in active]
        means = means_by_reward(active, rollouts.rewards)  # (F, N)
        return (torch.tensor(weights) @ means.nan_to_num(0.0)).tolist()

    def _rolled_out(self, completion_ids: Sequence[Sequence[int]], record: Sequence[int]) -> Rollouts:
        """Score completions of the records at *record*."""
        context = RunContext(
            step=self.state.global_step + 1,
            steps=self.state.max_steps,
            phase="train" if self.model.training else "evaluate",
        )
        return self._scorer(completion_ids, record, context)

    def _generate_single_turn(self, *args: Any, **kwargs: Any) -> Any:
        """Let TRL generate; with transformers, only from logits that are finite."""
        # A check within compiled decoding would break its graph.
        if self.use_vllm or self.generation_config.disable_compile is False:
            return super()._generate_single_turn(*args, **kwargs)
        with only_finite_logits(self.accelerator.unwrap_model(self.model)):
            return super()._generate_single_turn(*args, **kwargs)

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        """Let TRL generate and score, then replace its advantages with advantages by token."""
        output: dict[str, Any] = super()._generate_and_score_completions(inputs)
        assert self._scored is not None  # TRL has called _score
        record_ids, rollouts = self._scored
        self._scored = None
        completion_ids: Tensor = output["completion_ids"]
        if output["advantages"].shape != completion_ids.shape[:1]:
            raise SaferecError(
                f"TRL's advantages were expected to have shape {tuple(completion_ids.shape[:1])}, but "
                f"have {tuple(output['advantages'].shape)}; install a TRL that saferec was tested with"
            )
        rank_ids = _padded_rank_ids(rollouts, completion_ids)
        advantages = self._advantages(rollouts)
        token_advantages = spread(
            advantages.rank.to(completion_ids.device),
            advantages.list.to(completion_ids.device),
            rank_ids,
        )
        if self._rank_weighting == "ranks":
            token_mask = output["completion_mask"].bool()
            # The objective is homogeneous in the advantage, so that a weight may be folded into it.
            token_advantages *= rank_weights(rank_ids, token_mask, self._scorer.num_ranks)
        output["advantages"], output["rank_ids"] = token_advantages, rank_ids
        if "importance_sampling_ratio" in output:  # of this policy to vLLM's, by token
            output["importance_sampling_ratio"] = rank_ratio(
                output["importance_sampling_ratio"],
                rank_ids,
                output["completion_mask"].bool(),
                self._scorer.num_ranks,
            )
        if self._on_rollouts is not None:
            step = self.state.global_step + 1
            self._on_rollouts(ScoredBatch(step, record_ids, rollouts, advantages))
        return output

    def _advantages(self, rollouts: Rollouts) -> Advantages:
        """Compute the advantages of the whole generation batch and return this process's rows."""
        rewards, rank_mask, limited = self._of_all_processes(rollouts)
        group_size = self.num_generations if self.model.training else self.num_generations_eval
        advantages = credit(self._scorer.rewards, rewards, self._normalizer, rank_mask, group_size)
        advantages = self._limits.charge(advantages, limited.prices, rank_mask)
        figures = self._figures_of_lists(rollouts, rewards)
        if self.model.training:
            self._limits.follow(limited.counted)
            batch = CreditedBatch(
                self._scorer.rewards, rewards, self._normalizer, rank_mask, group_size, advantages
            )
            figures |= {**batch.figures(), **self._limits.figures()}
        for name, value in figures.items():
            self._metrics["train" if self.model.training else "eval"][name].append(value)
        rows = len(rollouts.texts)
        own = slice(self.accelerator.process_index * rows, (self.accelerator.process_index + 1) * rows)
        return Advantages(rank=advantages.rank[own], list=advantages.list[own])

    def _figures_of_lists(self, rollouts: Rollouts, rewards: RewardValues) -> dict[str, float]:
        """Describe the lists of the whole generation batch, whose rewards are given."""
        lists = rollouts.lists
        ranks = ListedRanks(*map(self._gathered, ListedRanks.of(lists)))
        judged = lists.judge.oracle is not None
        return figures_of_lists(self._scorer.rewards, rewards, ranks, judged=judged)

    def _of_all_processes(self, rollouts: Rollouts) -> tuple[RewardValues, Tensor, LimitedRanks]:
        """Return the rewards, the rank mask and what limits look at, of the whole generation batch."""

        def by_function(values: Tensor) -> Tensor:
            return self._gathered(values.transpose(0, 1)).transpose(0, 1)

        own = rollouts.rewards
        rewards = RewardValues(by_function(own.rank), by_function(own.list), by_function(own.cost))
        limited = LimitedRanks(*map(by_function, self._limits.ranks(rollouts.lists)))
        return rewards, self._gathered(rollouts.lists.rank_mask), limited

    def _gathered(self, values: Tensor) -> Tensor:
        """Gather rows from all processes, since a group may straddle them."""
        on_device = values.contiguous().to(self.accelerator.device)
        gathered: Tensor = self.accelerator.gather(on_device)
        return gathered.cpu()

    def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> Tensor:
        """Compute TRL's loss, with ``old`` such that its log ratio is the rank's mean log ratio."""
        self._loss_inputs = dict(inputs)
        try:
            loss: Tensor = super()._compute_loss(model, self._loss_inputs)
            check_loss(loss, self._loss_inputs, self.state.global_step + 1)
        finally:
            self._loss_inputs = None
        return loss

    def _get_per_token_logps_and_entropies(
        self,
        model: Any,
        input_ids: Tensor,
        attention_mask: Tensor,
        logits_to_keep: int,
        batch_size: int | None = None,
        **options: Any,
    ) -> tuple[Any, ...]:
        """Compute log probabilities; within the loss, prepare the rank-level log ratio.

        TRL goes on to compute ``logp - old``. With ``old' = logp - rank_mean(logp - old)``, which is
        not detached, that difference *is* the rank's mean log ratio, in value and in gradient.
        """
        batch = (input_ids, attention_mask, logits_to_keep)
        result = self._shared_scores(model, *batch, batch_size)
        if result is None:
            with compact_head():
                result = super()._get_per_token_logps_and_entropies(model, *batch, batch_size, **options)
        inputs = self._loss_inputs
        if inputs is not None:
            logps: Float[Tensor, "N T"] = result[0]
            old = inputs.get("old_per_token_logps")
            log_ratio = logps - (logps.detach() if old is None else old)
            inputs["log_probs"], inputs["sampled_log_probs"] = logps, old
            inputs["old_per_token_logps"] = logps - rank_mean(
                log_ratio,
                inputs["rank_ids"],
                inputs["completion_mask"].bool(),
                self._scorer.num_ranks,
            )
        return result

    def _shared_scores(
        self, model: Any, input_ids: Tensor, attention_mask: Tensor, width: int, batch_size: int | None
    ) -> tuple[Tensor, Tensor, None] | None:
        """Score with every prompt computed once: the batch, or, without gradients, chunks of whole groups."""
        if self.sharing.reason is not None:
            return None

        def plain(input_ids: Tensor, attention_mask: Tensor, width: int) -> Tensor:
            scored = super(RankGRPOTrainer, self)._get_per_token_logps_and_entropies(
                model, input_ids, attention_mask, width, batch_size
            )
            log_probs: Tensor = scored[0]
            return log_probs

        with self.accelerator.autocast():
            at_once = len(input_ids) if batch_size is None else PASSES_AT_ONCE * batch_size
            if at_once >= len(input_ids):
                scores = self.sharing.score(model, input_ids, attention_mask, width, plain)
                return None if scores is None else (*scores, None)
            log_probs, entropy = torch.zeros(2, len(input_ids), width, device=input_ids.device)
            for rows in chunks_of_whole_groups(input_ids, attention_mask, width, at_once):
                scores = self.sharing.score(model, input_ids[rows], attention_mask[rows], width, plain)
                if scores is None:
                    return None
                log_probs[rows], entropy[rows] = scores
        return log_probs, entropy, None


def _padded_rank_ids(rollouts: Rollouts, completion_ids: Tensor) -> Int[Tensor, "N T"]:
    """Lay the rank ids of all completions out beside the padded token ids."""
    rows, longest = completion_ids.shape
    padded = torch.full((rows, longest), NO_RANK, dtype=torch.long)
    for row, rank_ids in enumerate(rollouts.rank_ids):
        padded[row, : len(rank_ids)] = torch.from_numpy(rank_ids)
    return padded.to(completion_ids.device)
