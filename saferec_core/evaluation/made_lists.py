"""Evaluate lists that no policy of ours wrote: another system's predictions, or a baseline's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from saferec_core.config.schema import EvalConfig
from saferec_core.data.records import Record
from saferec_core.errors import ConfigError
from saferec_core.evaluation.baselines import Baseline, baseline
from saferec_core.evaluation.evaluator import Evaluation, WrittenList, records_hash
from saferec_core.evaluation.files import folder_for, results_path
from saferec_core.evaluation.keeping import keep
from saferec_core.evaluation.predictions import answer_of_titles, read_predictions
from saferec_core.evaluation.setup import (
    Parts,
    assemble,
    evaluator_of,
    record_limit,
    run_protocol,
    used_records,
)
from saferec_core.models.guided.allowed import AllowedTitles, UnknownTitles
from saferec_core.plugins.offered import Plugins
from saferec_core.runs.observer import Observer, staged

__all__ = ["run_baseline", "run_predictions"]


def run_predictions(
    config: EvalConfig, plugins: Plugins, observer: Observer, path: Path, *, out: Path | None = None
) -> Evaluation:
    """Evaluate the lists of a file; see :func:`~saferec_core.evaluation.predictions.read_predictions`.

    One list per record is scored as a greedy policy's list is; several as samples are.

    Raises:
        SaferecError: The file or the configuration has problems; all are named.
    """
    parts, records = _parts(config, plugins, popularity=True)
    answers = read_predictions(
        path, dict(enumerate(parts.held_out)), records, parts.parser, parts.judge.catalog
    )
    return _score(config, plugins, observer, parts, records, answers, str(path.resolve()), "predictions", out)


def run_baseline(
    config: EvalConfig,
    plugins: Plugins,
    observer: Observer,
    name: str,
    *,
    safe: bool = False,
    unknown: UnknownTitles = "allow",
    out: Path | None = None,
) -> Evaluation:
    """Make and evaluate the lists of a baseline.

    Args:
        config: Data, catalog, oracle and metrics.
        plugins: What is installed.
        observer: Shown the progress and the figures.
        name: Name of the baseline.
        safe: Whether it leaves out titles that are known to violate a constraint of the user.
        unknown: Whether a safe list may hold titles that the oracle cannot judge.
        out: Folder for the results; by default a new one.

    Raises:
        SaferecError: The configuration has problems.
    """
    kind = baseline(name)
    if safe and config.oracle is None:
        raise ConfigError("--safe needs an oracle to know violations; name its table with --oracle-path")
    parts, records = _parts(config, plugins, popularity=True)
    recommender: Baseline = kind(parts.judge.catalog, parts.train, seed=config.seed)
    allowed = AllowedTitles(parts.judge, unknown)
    answers = []
    with staged(observer, f"Recommend by {name}", len(records)) as progress:
        for done, (position, record) in enumerate(records.items(), start=1):
            titles = recommender.rank(record, position, config.num_ranks, allowed, safe=safe)
            answers.append([answer_of_titles(titles)])
            progress(done)
    policy = f"{name} (safe)" if safe and unknown == "allow" else f"{name} (safe, known)" if safe else name
    return _score(config, plugins, observer, parts, records, answers, policy, "baseline", out)


def _parts(config: EvalConfig, plugins: Plugins, *, popularity: bool) -> tuple[Parts, dict[int, Record]]:
    train = config.data.train_path
    parts = assemble(
        config,
        plugins,
        train=popularity and train is not None and train.exists(),
        year=config.evaluation.eval_year,
    )
    if not parts.held_out:
        raise ConfigError("held-out records are missing; give --test-path or --validation-path")
    return parts, used_records(parts.held_out, config.evaluation, parts.prompts)


def _score(
    config: EvalConfig,
    plugins: Plugins,
    observer: Observer,
    parts: Parts,
    records: dict[int, Record],
    answers: Sequence[Sequence[WrittenList]],
    policy: str,
    engine: str,
    out: Path | None,
) -> Evaluation:
    """Judge and measure the lists, and keep what came out."""
    samples = len(answers[0]) if answers else 1
    several = config.evaluation.model_copy(update={"eval_samples": samples})
    config = config.model_copy(update={"evaluation": several})
    protocol = run_protocol(config, parts, "greedy" if samples == 1 else "sampled")
    evaluator = evaluator_of(config, parts, records, plugins)
    folder = folder_for(policy, config, plugins, out, into_run=False)
    evaluation = evaluator.score(answers, protocol, policy=policy)
    path = results_path(
        folder,
        "policy",
        protocol,
        choices=protocol.facts(),
        policy=policy,
        data_sha256=records_hash(records.values()),
    )
    keep(evaluation, config, folder, path, observer, engine=engine)
    for limit in record_limit(config.data).values():
        observer.note(f"Records: {limit}.")
    observer.kept("list", path)
    return evaluation
