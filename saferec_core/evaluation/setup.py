"""Put the parts that a configuration names together, and refuse what does not fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from jaxtyping import Float
from torch import Tensor

from saferec_core.config.choices import DEFAULT_METRICS
from saferec_core.config.domain import read_domain
from saferec_core.config.schema import EvalConfig, RunConfig
from saferec_core.config.sections import DataConfig, EvaluationConfig
from saferec_core.data.catalog import read_catalog
from saferec_core.data.prompt_form import PromptForm, form_of
from saferec_core.data.record_files import read_records, traits_of
from saferec_core.data.records import Record
from saferec_core.data.traits import read_traits
from saferec_core.errors import ConfigError, DataError, UnknownNameError
from saferec_core.evaluation.evaluator import Evaluator
from saferec_core.evaluation.measure import build_metrics, default_metrics
from saferec_core.evaluation.popularity import popularity_percentiles
from saferec_core.evaluation.protocol import EvaluationProtocol, protocol_of
from saferec_core.plugins.build import build_oracle, chosen
from saferec_core.plugins.calls import named
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.plugins.contracts.oracle import Oracle
from saferec_core.plugins.contracts.parser import ListParser
from saferec_core.plugins.contracts.transform import RowCounts, Transform, transformed
from saferec_core.plugins.offered import Plugins
from saferec_core.plugins.side_by_side import oracles_in
from saferec_core.rl.rewards import ActiveReward

__all__ = [
    "Parts",
    "assemble",
    "evaluator_of",
    "instruction_added",
    "record_limit",
    "require_path",
    "run_protocol",
    "used_records",
]


@dataclass(frozen=True)
class Parts:
    """What both stages and the evaluation work with."""

    parser: ListParser
    judge: Judge
    train: Sequence[Record]
    validation: Sequence[Record]
    test: Sequence[Record]
    transformed: str = ""
    """What became of the training rows in each transform; empty without transforms."""
    prompts: PromptForm = field(default_factory=PromptForm)
    """How the policy is asked: what is put in front of held-out prompts that lack it."""
    form: Mapping[str, Any] = field(default_factory=dict)
    """What the training prompts look like, where a policy is trained on them."""
    metrics_of_others: Mapping[str, str] = field(default_factory=dict)
    """Distribution and version of metrics that are not saferec's own, by name."""

    @property
    def held_out(self) -> Sequence[Record]:
        """The records of the before/after table."""
        return self.test or self.validation

    @cached_property
    def popularity(self) -> Float[Tensor, " C"] | None:
        """How popular the titles of the catalog are among the training records; computed once."""
        return popularity_percentiles(self.judge.catalog, self.train)


def assemble(
    config: RunConfig,
    plugins: Plugins,
    *,
    rewards: Sequence[ActiveReward] = (),
    needs: Mapping[str, str] | None = None,
    train: bool = True,
    year: Literal["required", "complete"] = "required",
) -> Parts:
    """Build parser, catalog and oracle, and read the splits that are named.

    Args:
        config: The run.
        plugins: What is installed.
        rewards: The run's reward functions, for the columns that they need.
        needs: Further columns that the training records need, each with what needs it.
        train: Whether the training records are needed at all.
        year: How a parser that has the option ``year`` treats titles without one, unless its own options
            set it.

    Raises:
        ConfigError: Something the run needs is not named, or does not fit.
        DataError: A file is missing or not what was expected.
    """
    data = config.data
    catalog = read_catalog(
        require_path(data.catalog_path, "catalog", "--catalog-path"),
        year_tolerance=data.year_tolerance,
        match_subtitles=data.match_subtitles,
    )
    oracle = None
    if config.oracle is not None:
        oracle = build_oracle(config.oracle, year_tolerance=data.year_tolerance, plugins=plugins)
    judge = Judge(catalog, oracle)
    inherited = {
        "catalog_path": data.catalog_path,
        "year_tolerance": data.year_tolerance,
        "oracle": config.oracle,
        "seed": config.seed,
    }
    transforms: list[Transform] = [
        chosen(plugins, plugins.transforms, choice, inherited) for choice in data.transforms
    ]
    counts = [RowCounts() for _ in transforms]
    counted = [
        partial(transformed, transform, counts=count)
        for transform, count in zip(transforms, counts, strict=True)
    ]
    stages = [partial(transformed, transform) for transform in transforms]
    columns = _needs(rewards, transforms, oracle)
    train_records: Sequence[Record] = []
    if train:
        path = require_path(data.train_path, "training data", "--train-path")
        wanted = {**columns, **(needs or {})}
        train_records = read_records(path, needs=wanted, stages=counted, limit=data.max_records)
    held_out = [
        read_records(path, needs=columns, stages=stages, limit=data.max_records) if path is not None else []
        for path in (data.validation_path, data.test_path)
    ]
    form: Mapping[str, Any] = {}
    if not isinstance(config, EvalConfig):
        form = form_of(train_records, read_traits(read_domain(data.domain_path).traits_path))
    parts = Parts(
        parser=chosen(plugins, plugins.parsers, data.parser, {**inherited, "year": year}),
        judge=judge,
        train=train_records,
        validation=held_out[0],
        test=held_out[1],
        transformed=", ".join(
            f"{choice.name} {count}" for choice, count in zip(data.transforms, counts, strict=True)
        ),
        prompts=PromptForm(
            config.prompts.instruction if isinstance(config, EvalConfig) else form.get("instruction")
        ),
        form=form,
        metrics_of_others=_metrics_of_others(config.evaluation, plugins),
    )
    _check_traits(judge.oracle, parts.train, parts.validation, parts.test)
    return parts


def instruction_added(parts: Parts, settings: EvaluationConfig) -> dict[str, str]:
    """Return the line of a plan that says that held-out prompts get an instruction; none if all have one."""
    if parts.prompts.instruction is None or not parts.held_out or settings.eval_prompts == 0:
        return {}
    used = used_records(parts.held_out, settings, PromptForm()).values()
    without = sum(parts.prompts.begun(record.prompt) is not record.prompt for record in used)
    if not without:
        return {}
    return {"instruction": f"put in front of {without} of {len(used)} held-out prompts, which have none"}


def record_limit(data: DataConfig) -> dict[str, str]:
    """Return the line of a plan that says that only some records are read; none where all are."""
    if data.max_records is None:
        return {}
    return {"records": f"only the first {data.max_records:,} of each split are read (data.max_records)"}


def used_records(
    records: Sequence[Record], settings: EvaluationConfig, prompts: PromptForm
) -> dict[int, Record]:
    """Return the records that are used, by their positions: the first ``eval_prompts`` of the right traits.

    Prompts without a system message get the instruction of *prompts*.

    Raises:
        DataError: No record has one of the wanted constraints.
    """
    wanted = set(settings.eval_traits)
    fitting = (pair for pair in enumerate(records) if not wanted or wanted & {*pair[1].constraints})
    used = dict(islice(fitting, settings.eval_prompts))
    if settings.eval_prompts and records and not used:
        present = sorted({trait for record in records for trait in record.constraints})
        raise DataError(
            f"no held-out record has one of the constraints eval_traits = {sorted(wanted)}. There: "
            f"{', '.join(present) or 'no constraints at all'}"
        )
    return {
        position: record
        if (begun := prompts.begun(record.prompt)) is record.prompt
        else replace(record, prompt=begun)
        for position, record in used.items()
    }


def evaluator_of(
    config: RunConfig, parts: Parts, records: Mapping[int, Record], plugins: Plugins
) -> Evaluator:
    """Build the evaluator of a run, with the metrics that it names.

    The training records say how popular a title is; without them, popularity has no value.

    Raises:
        ConfigError: Options are set for a metric that is not computed, or are refused.
    """
    settings = config.evaluation
    names = [
        metric
        for name in settings.eval_metrics or [DEFAULT_METRICS]
        for metric in (default_metrics(plugins) if name == DEFAULT_METRICS else [name])
    ]
    unused = sorted(settings.eval_metric_options.keys() - set(names))
    if unused:
        raise ConfigError(
            f"eval_metric_options sets options of {', '.join(unused)}, which eval_metrics leaves out or no "
            "plugin offers"
        )
    choices = {name: settings.eval_metric_options.get(name, {}) for name in names}
    metrics = build_metrics(plugins, choices, run_protocol(config, parts, "greedy").metric_options)
    catalog = parts.judge.catalog
    judge = Judge(catalog, parts.judge.oracle, parts.popularity)
    return Evaluator(records, parts.parser, judge, metrics, config.evaluation.eval_at)


def run_protocol(config: RunConfig, parts: Parts, kind: Literal["greedy", "sampled"]) -> EvaluationProtocol:
    """Return the protocol of one of a run's decodings."""
    judge = parts.judge
    return protocol_of(
        config,
        kind,
        catalog=judge.catalog,
        parser=parts.parser,
        oracle=judge.oracle,
        metrics_of_others=parts.metrics_of_others,
    )


def _metrics_of_others(settings: EvaluationConfig, plugins: Plugins) -> dict[str, str]:
    names = dict.fromkeys(name for name in settings.eval_metrics if name != DEFAULT_METRICS)
    entries = [plugins.find(plugins.metrics, name) for name in names]
    return {entry.name: entry.origin.supplier for entry in entries if not entry.origin.is_built_in}


def require_path(path: Path | None, what: str, flag: str) -> Path:
    """Return a path that a run cannot do without.

    Raises:
        ConfigError: It was not named.
    """
    if path is None:
        raise ConfigError(f"no {what} is named; give {flag}, or no settings at all for the demo")
    return path


def _needs(
    rewards: Iterable[ActiveReward], transforms: Iterable[Transform], oracle: Oracle | None
) -> dict[str, str]:
    """Collect the required columns, each with the component that needs it."""
    needs = {
        column: f"transform {type(transform).__name__}"
        for transform in transforms
        for column in transform.columns
    }
    for reward in rewards:
        needs |= dict.fromkeys(reward.function.columns, f"reward {reward.name!r}")
    for each in () if oracle is None else oracles_in(oracle):
        needs |= dict.fromkeys(each.columns, named("oracle", each))
    return needs


def _check_traits(oracle: Oracle | None, *splits: Sequence[Record]) -> None:
    """Refuse, before anything is trained, constraints that the oracle cannot judge."""
    if oracle is None:
        return
    traits = oracle.traits  # which may be a rule that answers `in`, such as one for every number
    for trait in sorted({trait for records in splits for trait in traits_of(records)}):
        if trait not in traits:
            raise UnknownNameError(
                "trait",
                trait,
                traits,
                hint="It is a constraint of the data; the oracle judges others.",
            )
