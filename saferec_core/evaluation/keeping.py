"""What an evaluation leaves behind: every sample, a summary beside it, and what whoever watches is shown."""

from __future__ import annotations

from pathlib import Path

from saferec_core.config.schema import EvalConfig
from saferec_core.evaluation.evaluator import Evaluation
from saferec_core.evaluation.files import INTERVAL, circumstances
from saferec_core.evaluation.whole_lists import show_whole, stored_whole
from saferec_core.runs.folder import RunFolder
from saferec_core.runs.observer import Observer

__all__ = ["keep"]

_MUCH_UNREADABLE = 0.05
"""Share of unreadable lines above which the figures describe the parser rather than the policy."""

_MUCH_OUTSIDE = 0.5
"""Share of titles outside of the catalog above which lists are probably not written as the catalog is."""


def keep(
    evaluation: Evaluation,
    config: EvalConfig,
    folder: RunFolder,
    path: Path,
    observer: Observer,
    *,
    engine: str,
) -> None:
    """Write an evaluation to its files and show its figures.

    Args:
        evaluation: What was measured.
        config: How.
        folder: Gets the summary.
        path: Parquet file that gets the rows.
        observer: Shown the figures.
        engine: What the lists were made with.
    """
    evaluation.results.write(path)
    summary = evaluation.summary()
    folder.write_json(
        folder.summary(path.stem),
        {
            **circumstances(config, evaluation, engine=engine),
            "protocol": evaluation.protocol,
            "choices": dict(evaluation.results.protocol),
            "interval": INTERVAL,
            "metrics": summary,
            "all_lists_together": stored_whole(evaluation.whole),
            "matched_by_subtitle": evaluation.by_subtitle,
        },
    )
    observer.evaluated(
        evaluation.protocol,
        {metric: (evaluation.results.metrics[metric], interval) for metric, interval in summary.items()},
    )
    show_whole(observer, {"value": evaluation.whole})
    if config.data.match_subtitles:
        observer.note(f"Titles of the lists that were matched by their subtitles: {evaluation.by_subtitle}.")
    outside, listed = evaluation.outside
    if outside > _MUCH_OUTSIDE * listed:
        observer.note(
            f"Warning: {outside} of {listed} titles of the lists are not in the catalog, so they cannot be "
            "relevant. Look at the lists: titles need the catalog's names and years; ids go into 'items'."
        )
    if engine != "baseline":  # which writes nothing that has to be read
        observer.note(_unreadable(evaluation))


def _unreadable(evaluation: Evaluation) -> str:
    """Report how much of the lists the parser could not read."""
    unreadable, ranks = evaluation.unreadable
    share = unreadable / ranks if ranks else 0.0
    reading = (
        f"Parser {evaluation.results.protocol['parser']}: {unreadable} of {ranks} lines of the lists are "
        f"unreadable ({share:.1%})."
    )
    if share <= _MUCH_UNREADABLE:
        return reading
    return (
        f"Warning: {reading} Every figure is affected. Look at the completions, and choose another parser "
        "(--parser), or read titles without years (--eval-year complete)."
    )
