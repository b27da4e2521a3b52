"""Settings that have no effect beside the others of a configuration, as far as it shows by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice

from saferec_core.config.choices import Section
from saferec_core.config.limits import Limit, read_limits
from saferec_core.config.schema import SftConfig, TrainConfig
from saferec_core.config.sections import AlarmsConfig, LimitsConfig
from saferec_core.data.records import Record
from saferec_core.data.sentences import listed
from saferec_core.errors import SaferecError

__all__ = ["idle_limits", "idle_settings"]

_SAMPLED = ("eval_temperature", "eval_top_p", "eval_samples")
_WASTE = frozenset({"repeated", "seen", "out_of_catalog"})
"""Shares whose ranks are wasted ones, so that none of them exceeds the share of wasted ranks."""

_LOOKED_AT = 100_000
"""Records among which a trait is looked for."""


def idle_settings(config: SftConfig | TrainConfig) -> Iterator[str]:
    """Yield a sentence for each setting that was given a value but has no effect, and why."""
    optimization, logging = config.optimization, config.logging
    if not config.model.use_lora:
        yield from _idle("model", config.model, _beginning(config.model, "lora_"), "use_lora is not set")
    if "sampled" not in config.evaluation.eval_decoding:
        yield from _idle("evaluation", config.evaluation, _SAMPLED, "eval_decoding samples nothing")
    if optimization.max_steps > 0:
        yield from _idle("optimization", optimization, ("num_train_epochs",), "max_steps is set")
    if optimization.lr_scheduler_type == "constant":
        yield from _idle("optimization", optimization, ("warmup_ratio",), "lr_scheduler_type is constant")
    if logging.save_strategy != "steps":
        yield from _idle("logging", logging, ("save_steps",), f"save_strategy is {logging.save_strategy}")
    if logging.save_strategy == "no" and config.select is not None:
        yield "select has no effect, since save_strategy is no: there are no checkpoints to choose among"
    if isinstance(config, TrainConfig):
        yield from _of_reinforcement(config)


def _of_reinforcement(config: TrainConfig) -> Iterator[str]:
    for name, choice in config.rewards.items():
        if choice.weight == 0 and choice.options:
            verb = "has" if len(choice.options) == 1 else "have"
            options = listed(sorted(choice.options))
            yield f"rewards.{name}: {options} {verb} no effect, since the reward has weight 0"
    if config.reference_policy is not None and not config.kl_beta:
        yield "reference_policy has no effect, since kl_beta is 0"
    yield from _of_limits(config)
    yield from _of_alarms(config.alarms)
    if config.rollout.top_k == 1:
        yield (
            "rollout.temperature and num_generations have no effect, since top_k is 1: all completions of a "
            "prompt are the same, and nothing is learned from their comparison"
        )
    if not config.rollout.use_vllm:
        of_vllm = _beginning(config.rollout, "vllm_")
        yield from _idle("rollout", config.rollout, of_vllm, "use_vllm is not set")
    if _always_on_policy(config) and config.epsilon != TrainConfig.model_fields["epsilon"].default:
        yield (
            "epsilon has no effect: each generation batch is trained on once and in one step, so every "
            "importance ratio is 1"
        )


def _of_limits(config: TrainConfig) -> Iterator[str]:
    if not config.limits.limit:
        if config.limits != LimitsConfig():
            yield "limits: nothing is limited, so the other settings have no effect; give --limit"
        return
    limits: Sequence[Limit] = ()
    with suppress(SaferecError):  # what cannot be read is a problem, which others name
        limits = read_limits(config.limits.limit, has_oracle=config.oracle is not None)
    wasted = min((limit.bound for limit in limits if limit.share == "wasted"), default=1.0)
    for limit in limits:
        if limit.bound == 1:
            yield f"the limit {limit} has no effect: no share exceeds 1"
        elif limit.share in _WASTE and limit.bound >= wasted:
            yield (
                f"the limit {limit} has no effect beside wasted <= {wasted:g}, which counts these ranks too"
            )


def _of_alarms(alarms: AlarmsConfig) -> Iterator[str]:
    for name in alarms.alarm_options:
        if name in alarms.ignore_alarm:
            yield f"alarms.alarm_options.{name} has no effect, since ignore_alarm leaves this alarm out"


def idle_limits(limits: Sequence[Limit], records: Sequence[Record]) -> Iterator[str]:
    """Yield a sentence for each limit that seems to apply to no record.

    Args:
        limits: The limits of a run.
        records: Its training records; the first 100,000 are looked at.
    """
    unmet = _without_record({limit.trait for limit in limits if limit.trait is not None}, records)
    none = "no" if len(records) <= _LOOKED_AT else f"none of the first {_LOOKED_AT:,}"
    for limit in limits:
        if limit.trait in unmet:
            record = "record" if none == "no" else "records"
            yield f"the limit {limit} has no effect: {none} training {record} has this constraint"


def _without_record(traits: set[str], records: Sequence[Record]) -> set[str]:
    """Return the traits that none of the first records has."""
    for record in islice(records, _LOOKED_AT):
        if not traits:
            break
        traits = traits.difference(record.constraints)
    return traits


def _beginning(values: Section, prefix: str) -> list[str]:
    return [name for name in type(values).model_fields if name.startswith(prefix)]


def _idle(section: str, values: Section, names: Sequence[str], reason: str) -> Iterator[str]:
    """Name those of *names* whose value is not the default."""
    fields = type(values).model_fields
    given = [
        name for name in names if getattr(values, name) != fields[name].get_default(call_default_factory=True)
    ]
    if given:
        verb = "has" if len(given) == 1 else "have"
        yield f"{section}.{listed(given)} {verb} no effect, since {reason}"


def _always_on_policy(config: TrainConfig) -> bool:
    """Whether a batch is always trained on with the weights that sampled it."""
    accumulated = config.optimization.gradient_accumulation_steps
    in_one_step = (config.steps_per_generation or accumulated) <= accumulated
    return config.num_iterations == 1 and in_one_step and not config.rollout.use_vllm
