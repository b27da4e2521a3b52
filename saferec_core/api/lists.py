"""Measure lists, whoever made them: judged rank by rank, scored list by list, compared in pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from saferec_core.analysis.compare import compare as compare_results
from saferec_core.analysis.comparison import ComparisonTable
from saferec_core.analysis.results import Results, read_results
from saferec_core.api.inputs import (
    ListLike,
    answers_of,
    load_catalog,
    load_oracle,
    load_records,
    parser_named,
)
from saferec_core.config.choices import DEFAULT_PARSER
from saferec_core.config.schema import EvalConfig
from saferec_core.data.catalog import Catalog
from saferec_core.data.records import Record
from saferec_core.errors import DataError
from saferec_core.evaluation.evaluator import Evaluator
from saferec_core.evaluation.measure import build_metrics, measure
from saferec_core.evaluation.popularity import popularity_percentiles
from saferec_core.evaluation.protocol import EvaluationProtocol, protocol_of
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.contracts.oracle import Oracle
from saferec_core.plugins.manager import load_plugins
from saferec_core.plugins.side_by_side import oracles_in
from saferec_core.runs.locate import find_results

__all__ = ["compare", "evaluate", "judged_lists", "score"]

Records = str | Path | Sequence[Record | Mapping[str, Any]]
CatalogLike = Catalog | str | Path | Sequence[Any]
OracleLike = Oracle | str | Path


def judged_lists(
    lists: Sequence[ListLike],
    records: Records,
    *,
    catalog: CatalogLike,
    oracle: OracleLike | None = None,
    num_ranks: int = 10,
    parser: str = DEFAULT_PARSER.name,
    year_tolerance: int = 2,
) -> JudgedLists:
    """Check lists against catalog, ground truth, history and oracle: what rewards and metrics work with.

    Args:
        lists: N lists.
        records: The N records that they answer.
        catalog: The titles that may be recommended.
        oracle: Judges violations.
        num_ranks: K, the ranks that are looked at.
        parser: Name of the parser that reads completions.
        year_tolerance: Maximum difference in release year, in years, when matching titles.

    Raises:
        DataError: There are not as many lists as records, or one of them cannot be read.
    """
    known = load_records(records)
    answers = answers_of(lists, parser_named(parser))
    _check_as_many(len(answers), len(known))
    return JudgedLists(
        [answer.parsed for answer in answers], known, _judge(catalog, oracle, year_tolerance), num_ranks
    )


def score(
    lists: Sequence[ListLike],
    records: Records,
    *,
    at: Sequence[int] = (5, 10),
    metrics: Sequence[str] | None = None,
    **options: Any,
) -> dict[str, npt.NDArray[np.float64]]:
    """Return every metric of every list.

    Args:
        lists: N lists.
        records: The N records that they answer.
        at: Depths of the metrics that have one.
        metrics: Names of metrics; None: saferec's own.
        options: Options as `judged_lists` takes them; ``num_ranks`` is the largest depth unless given.

    Returns:
        (N,) by column, such as ``"recall@10"``; NaN where a list has no value.

    Raises:
        SaferecError: As `judged_lists`; or a metric is unknown or fails.
    """
    judged = judged_lists(lists, records, **{"num_ranks": max(at), **options})
    columns = measure(judged, at, build_metrics(load_plugins(), _choices(metrics)))
    return {name: values.numpy() for name, values in columns.items()}


def evaluate(
    lists: Sequence[ListLike],
    records: Records,
    *,
    catalog: CatalogLike,
    oracle: OracleLike | None = None,
    train: Records = (),
    at: Sequence[int] = (5, 10),
    num_ranks: int | None = None,
    metrics: Sequence[str] | None = None,
    parser: str = DEFAULT_PARSER.name,
    year_tolerance: int = 2,
    name: str = "lists",
) -> Results:
    """Evaluate one list per record; what comes back can be compared, gated and written as Parquet.

    Args:
        lists: N lists, such as the completions of a model or the titles of another recommender.
        records: The N held-out records that they answer.
        catalog: The titles that may be recommended.
        oracle: Judges violations; without one there are no safety metrics.
        train: Training records, for the popularity of titles.
        at: Depths of the metrics that have one.
        num_ranks: K, the ranks that are looked at; the largest depth unless given.
        metrics: Names of metrics; None: saferec's own.
        parser: Name of the parser that reads completions.
        year_tolerance: Maximum difference in release year, in years, when matching titles.
        name: What results call the maker of the lists.

    Raises:
        SaferecError: There are not as many lists as records, or something cannot be read.
    """
    known = load_records(records)
    reader = parser_named(parser)
    answers = answers_of(lists, reader)
    _check_as_many(len(answers), len(known))
    judge = _judge(catalog, oracle, year_tolerance)
    training = load_records(train) if isinstance(train, str | Path) or len(train) else []
    judge = Judge(judge.catalog, judge.oracle, popularity_percentiles(judge.catalog, training))
    protocol = _protocol(judge, reader, parser, num_ranks or max(at), at)
    built = build_metrics(load_plugins(), _choices(metrics), protocol.metric_options)
    evaluator = Evaluator(dict(enumerate(known)), reader, judge, built, at)
    return evaluator.score([[answer] for answer in answers], protocol, policy=name).results


def compare(first: Results | str | Path, second: Results | str | Path, **options: Any) -> ComparisonTable:
    """Compare two evaluations of the same records, in pairs.

    Args:
        first: The one to compare with: results, a Parquet file of them, or a run folder.
        second: The one whose gain or loss is of interest.
        options: Options that `saferec_core.analysis.compare.compare` takes, such as ``names`` or ``metrics``.

    Raises:
        SaferecError: They were evaluated differently; the message names every difference.
    """
    return compare_results(_results(first), _results(second), **options)


def _results(source: Results | str | Path) -> Results:
    return source if isinstance(source, Results) else read_results(find_results(Path(source)))


def _choices(metrics: Sequence[str] | None) -> dict[str, dict[str, Any]] | None:
    return None if metrics is None else {name: {} for name in metrics}


def _judge(catalog: CatalogLike, oracle: OracleLike | None, year_tolerance: int) -> Judge:
    known = None if oracle is None else load_oracle(oracle, year_tolerance=year_tolerance)
    return Judge(load_catalog(catalog, year_tolerance=year_tolerance), known)


def _protocol(
    judge: Judge, reader: object, parser: str, num_ranks: int, at: Sequence[int]
) -> EvaluationProtocol:
    names = [] if judge.oracle is None else [type(each).__name__ for each in oracles_in(judge.oracle)]
    oracle = {"name": names[0], "beside": [{"name": name} for name in names[1:]]} if names else None
    settings = {
        "data": {"parser": {"name": parser}},
        "oracle": oracle,
        "num_ranks": num_ranks,
        "evaluation": {"eval_at": list(at)},
    }
    config = EvalConfig.model_validate(settings)
    return protocol_of(config, "greedy", catalog=judge.catalog, parser=reader, oracle=judge.oracle)


def _check_as_many(lists: int, records: int) -> None:
    if lists != records:
        raise DataError(f"every record needs one list, but there are {lists} lists for {records} records")
