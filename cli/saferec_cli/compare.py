"""``saferec compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from saferec_cli import completion
from saferec_cli.options import JsonOption
from saferec_cli.printing import print_json
from saferec_cli.result_options import DecodingOption, WhenOption
from saferec_core.errors import ConfigError, for_each

__all__ = ["compare"]


def compare(
    run_a: Annotated[
        Path,
        typer.Argument(
            metavar="RUN_A", help="Run folder or evaluation (.parquet).", autocompletion=completion.runs
        ),
    ],
    run_b: Annotated[
        Path | None,
        typer.Argument(
            metavar="RUN_B",
            help="What to compare RUN_A with; by default RUN_A before and after training.",
            autocompletion=completion.runs,
        ),
    ] = None,
    decoding: DecodingOption = "greedy",
    when: WhenOption = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Metric to compare, such as recall@10; repeatable. By default all.",
            autocompletion=completion.metrics,
        ),
    ] = None,
    primary: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Metric that is tested on its own; by default the one that stands for safety.",
            autocompletion=completion.metrics,
        ),
    ] = None,
    confidence: Annotated[float, typer.Option(help="Confidence level of the intervals.")] = 0.95,
    *,
    trait_table: Annotated[
        bool, typer.Option(help="Compare by trait as well; on by default.", show_default=False)
    ] = True,
    force: Annotated[bool, typer.Option("--force", help="Compare even if evaluated differently.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Compare two evaluations pair by pair: intervals, permutation tests and what may be claimed.

    Differences are RUN_B minus RUN_A. One metric, the primary one, is tested on its own; the p-values of all
    others are corrected for one another. Evaluations of different protocols or data are not compared unless
    forced.
    """
    from saferec_core.analysis import compare as comparing  # scipy is slow to import
    from saferec_core.analysis.results import read_results
    from saferec_core.runs.locate import find_before_and_after, find_results

    if run_b is None:
        if when is not None:
            raise ConfigError("--when chooses among the evaluations of two runs, but one run is named")
        files = [*find_before_and_after(run_a, decoding=decoding)]
        names = ("before", "after")
    else:
        files = for_each(lambda run: find_results(run, when=when, decoding=decoding), (run_a, run_b))
        names = _names(run_a, run_b)
    first, second = (read_results(file) for file in files)
    table = comparing.compare(
        first,
        second,
        names=names,
        metrics=metric or None,
        primary=primary,
        confidence=confidence,
        by_trait=trait_table,
        force=force,
    )
    if as_json:
        facts = [
            {"file": str(file), "policy": results.policy, "protocol": results.protocol.get("id")}
            for file, results in zip(files, (first, second), strict=True)
        ]
        print_json({"evaluations": facts, **table.as_data()})
        return
    from saferec_cli.render_compare import comparison

    comparison(table, trait_metrics=metric or ())


def _names(first: Path, second: Path) -> tuple[str, str]:
    """Call two places by their last name, by all of it where that is the same, by a letter at last."""
    for a, b in ((first.resolve().stem, second.resolve().stem), (str(first), str(second))):
        if a != b:
            return a, b
    return f"{first} (A)", f"{second} (B)"
