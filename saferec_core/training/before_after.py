"""Evaluate the policy before and after training, and compare."""

from __future__ import annotations

from collections.abc import Sequence

from saferec_core.analysis.compare import compare as compare_results
from saferec_core.analysis.outcome import outcome
from saferec_core.config.schema import RunConfig
from saferec_core.evaluation.evaluator import Evaluation, compare
from saferec_core.evaluation.held_out import (
    INTERVAL,
    circumstances,
    evaluator_of,
    policy_name,
    run_protocol,
    staged,
    tell_whole,
    used_records,
)
from saferec_core.evaluation.setup import Parts
from saferec_core.models.generation import Generator
from saferec_core.plugins.manager import Plugins
from saferec_core.runs.folder import RunFolder
from saferec_core.runs.observer import Observer

__all__ = ["evaluate", "report_comparison", "what_changed"]


def evaluate(
    config: RunConfig,
    parts: Parts,
    plugins: Plugins,
    generator: Generator,
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
        observer: Told of the progress.
        when: Such as ``"before"``.
        policy: What to call the policy.
    """
    settings = config.evaluation
    if not parts.held_out or settings.eval_prompts == 0:
        return []
    records = used_records(parts.held_out, settings)
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


def what_changed(kind: str, before: Evaluation, after: Evaluation) -> str:
    """Say in a sentence what training changed, as far as it may be claimed.

    Args:
        kind: The decoding, such as ``"greedy"``.
        before: Of the policy before training.
        after: Of the policy after it, on the same records.
    """
    table = compare_results(before.results, after.results, names=("before", "after"), by_trait=False)
    return f"What changed ({kind} lists): {outcome(table).sentence}"


def report_comparison(
    config: RunConfig,
    folder: RunFolder,
    observer: Observer,
    before: Sequence[Evaluation],
    after: Sequence[Evaluation],
) -> None:
    """Keep both evaluations with their rows, and show the before/after table of each decoding."""
    for kind, first, second in zip(config.evaluation.eval_decoding, before, after, strict=False):
        rows = compare(first, second)
        for when, evaluation in (("before", first), ("after", second)):
            evaluation.results.write(folder.results(f"{when}-{kind}"))
        folder.write_json(
            folder.summary(kind),
            {
                **circumstances(config, second),
                "protocol": second.protocol,
                "choices": dict(second.results.protocol),
                "interval": INTERVAL,
                "metrics": {
                    row.metric: {
                        "before": row.before,
                        "after": row.after,
                        "difference": row.difference,
                    }
                    for row in rows
                },
                "all_lists_together": {"before": first.whole, "after": second.whole},
            },
        )
        observer.compared(f"{kind} lists, before and after", rows)
        tell_whole(observer, {"before": first.whole, "after": second.whole})
        observer.note(what_changed(kind, first, second))
