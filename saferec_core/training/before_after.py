"""Evaluate the policy before and after training, and compare."""

from __future__ import annotations

from collections.abc import Sequence

from saferec_core.analysis.compare import compare
from saferec_core.analysis.estimates import Difference
from saferec_core.config.schema import RunConfig, TrainConfig
from saferec_core.errors import ConfigError
from saferec_core.evaluation.evaluator import Evaluation
from saferec_core.evaluation.files import INTERVAL, circumstances, policy_name
from saferec_core.evaluation.setup import Parts, evaluator_of, run_protocol, used_records
from saferec_core.evaluation.whole_lists import show_whole, stored_whole
from saferec_core.models.completions import CompletionGenerator
from saferec_core.plugins.offered import Plugins
from saferec_core.runs.folder import RunFolder
from saferec_core.runs.observer import Observer, staged

__all__ = ["check_evaluations", "evaluate", "greedy_means", "report_comparison"]


def evaluate(
    config: RunConfig,
    parts: Parts,
    plugins: Plugins,
    generator: CompletionGenerator,
    observer: Observer,
    *,
    when: str,
    policy: str,
) -> list[Evaluation]:
    """Evaluate a policy once per decoding; all processes that train together have to call.

    Args:
        config: The run.
        parts: What it works with.
        plugins: What is installed.
        generator: The policy.
        observer: Shown the progress.
        when: Such as ``"before"``.
        policy: What to call the policy.
    """
    settings = config.evaluation
    if not parts.held_out or settings.eval_prompts == 0:
        return []
    records = used_records(parts.held_out, settings, parts.prompts)
    evaluator = evaluator_of(config, parts, records, plugins)
    evaluations = []
    for kind in settings.eval_decoding:
        with staged(observer, f"Evaluate {when}, {kind}", len(records)) as progress:
            evaluation = evaluator(
                generator,
                run_protocol(config, parts, kind),
                policy=policy_name(policy),
                batch_size=settings.eval_batch_size,
                seed=config.seed,
                progress=progress,
            )
        evaluations.append(evaluation)
    return evaluations


def check_evaluations(config: TrainConfig, parts: Parts) -> None:
    """Refuse evaluations during training that would evaluate nothing.

    Raises:
        ConfigError: There are no held-out records, or none is to be used.
    """
    if config.eval_steps is None:
        return
    if not parts.held_out:
        raise ConfigError(
            "--eval-steps has nothing to evaluate: name held-out records with --validation-path or "
            "--test-path, or leave it out"
        )
    if config.evaluation.eval_prompts == 0:
        raise ConfigError("--eval-steps evaluates nothing with --eval-prompts 0; leave one of the two out")


def greedy_means(
    config: RunConfig, parts: Parts, plugins: Plugins, generator: CompletionGenerator
) -> dict[str, float]:
    """Return the mean of every metric over greedy lists for the validation records, else the test records.

    All processes that train together have to call.
    """
    settings = config.evaluation
    records = used_records(parts.validation or parts.held_out, settings, parts.prompts)
    evaluation = evaluator_of(config, parts, records, plugins)(
        generator,
        run_protocol(config, parts, "greedy"),
        policy="",
        batch_size=settings.eval_batch_size,
        seed=config.seed,
    )
    means = {name: evaluation.results.mean(name) for name in evaluation.results.metrics}
    return {name: mean for name, mean in means.items() if mean == mean} | {
        name: figure.value for name, figure in evaluation.whole.items()
    }


def report_comparison(
    config: RunConfig,
    folder: RunFolder,
    observer: Observer,
    before: Sequence[Evaluation],
    after: Sequence[Evaluation],
) -> None:
    """Write how each decoding's lists changed into the run's summaries, and show it."""
    for kind, first, second in zip(config.evaluation.eval_decoding, before, after, strict=False):
        table = compare(first.results, second.results, names=("before", "after"), by_trait=False)
        alone = {"before": first.summary(), "after": second.summary()}
        folder.write_json(
            folder.summary(kind),
            {
                **circumstances(config, second),
                "protocol": second.protocol,
                "choices": dict(second.results.protocol),
                "interval": INTERVAL,
                "metrics": {
                    metric.metric: {
                        **{when: summary[metric.metric] for when, summary in alone.items()},
                        "difference": _interval(metric.difference),
                    }
                    for metric in table.overall.metrics
                },
                "all_lists_together": {
                    "before": stored_whole(first.whole),
                    "after": stored_whole(second.whole),
                },
            },
        )
        observer.compared(f"{kind.capitalize()} lists, before and after", table)
        show_whole(observer, {"before": first.whole, "after": second.whole})


def _interval(difference: Difference | None) -> tuple[float, float, float] | None:
    if difference is None or difference.users < 2:
        return None
    return difference.mean, difference.low, difference.high
