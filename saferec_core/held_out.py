"""Policies on the held-out prompts of a run, one by one or before and after."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from saferec_core.assembly import Parts, assemble
from saferec_core.config import RunConfig
from saferec_core.errors import ConfigError
from saferec_core.evaluation import Evaluation, Evaluator, compare
from saferec_core.generation import Decoding
from saferec_core.models import Policy, load_policy, resolve_folder
from saferec_core.observer import Comparison, Observer, StepReport
from saferec_core.plugins import Plugins
from saferec_core.processes import is_main
from saferec_core.runs import RunFolder

__all__ = ["evaluate", "report_comparison", "run_eval"]


def run_eval(config: RunConfig, plugins: Plugins, observer: Observer) -> list[Evaluation]:
    """Evaluate ``config.model.model`` (a run, a checkpoint, a model) on the held-out prompts."""
    if config.model.model is None:
        raise ConfigError("no policy is named; give a run folder, a checkpoint or a model")
    if config.evaluation.eval_prompts == 0:
        raise ConfigError("eval_prompts = 0 leaves nothing to evaluate; set at least 1")
    parts = assemble(config, plugins, train=False)
    if not parts.held_out:
        raise ConfigError("no held-out records are named; give --test-path or --validation-path")
    policy = load_policy(resolve_folder(config.model.model), config.model)
    evaluations = evaluate(config, parts, policy, observer, "policy")
    for evaluation in evaluations:
        rows = [Comparison(metric, None, interval, None) for metric, interval in evaluation.summary().items()]
        observer.compared(evaluation.protocol, rows)
    return evaluations


def evaluate(
    config: RunConfig, parts: Parts, policy: Policy, observer: Observer, when: str
) -> list[Evaluation]:
    """Evaluate a policy once per decoding; on the main process only, elsewhere there is nothing."""
    settings = config.evaluation
    records = parts.held_out[: settings.eval_prompts]
    if not records or not is_main():
        return []
    evaluator = Evaluator(records, parts.parser, parts.judge, config.num_ranks, settings.eval_at)
    drawn = Decoding(
        "sampled",
        config.max_completion_length,
        temperature=settings.eval_temperature,
        top_p=settings.eval_top_p,
        samples=settings.eval_samples,
        batch_size=settings.eval_batch_size,
        seed=config.seed,
    )
    evaluations = []
    for kind in settings.eval_decoding:
        observer.stage_began(f"Evaluate {when}, {kind}", len(records))
        evaluations.append(
            evaluator(
                policy,
                replace(drawn, kind=kind),
                progress=lambda done: observer.stepped(StepReport(done)),
            )
        )
        observer.stage_ended()
    return evaluations


def report_comparison(
    folder: RunFolder,
    observer: Observer,
    before: Sequence[Evaluation],
    after: Sequence[Evaluation],
    kinds: Sequence[str],
) -> None:
    """Keep both evaluations with their rows, and show the before/after table of each decoding."""
    for kind, first, second in zip(kinds, before, after, strict=True):
        rows = compare(first, second)
        folder.append(f"evaluation/before-{kind}.jsonl", first.rows)
        folder.append(f"evaluation/after-{kind}.jsonl", second.rows)
        folder.write_json(
            f"evaluation/{kind}.json",
            {
                "protocol": second.protocol,
                "interval": "95 % percentile bootstrap over samples, differences paired",
                "metrics": {
                    row.metric: {
                        "before": row.before,
                        "after": row.after,
                        "difference": row.difference,
                    }
                    for row in rows
                },
            },
        )
        observer.compared(f"{kind} lists, before and after", rows)
