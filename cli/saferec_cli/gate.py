"""``saferec gate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from saferec_cli import completion
from saferec_cli.options import JsonOption
from saferec_cli.printing import print_json
from saferec_cli.result_options import DecodingOption, WhenOption
from saferec_core.errors import ConfigError, for_each

__all__ = ["gate"]

REFUSED = 1
"""Exit status where the figures do not allow every claim; a user's mistake is 2."""


def gate(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN", help="Run folder or evaluation (.parquet).", autocompletion=completion.runs
        ),
    ],
    at_most: Annotated[
        list[str] | None,
        typer.Option(
            "--max", metavar="CLAIM", help="Upper limit, such as any_violation@10<=0.05; repeatable."
        ),
    ] = None,
    at_least: Annotated[
        list[str] | None,
        typer.Option(
            "--min",
            metavar="CLAIM",
            help="Lower limit, such as recall@10>=0.06 or recall@10>=baseline-0.005; repeatable.",
        ),
    ] = None,
    confidence: Annotated[float, typer.Option(help="One-sided confidence level of each claim.")] = 0.95,
    baseline: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN", help="Run or .parquet that 'baseline' stands for in a claim; compared in pairs."
        ),
    ] = None,
    decoding: DecodingOption = "greedy",
    when: WhenOption = None,
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write the verdicts as JUnit XML.")
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Check claims about metrics: exit with 0 only if the interval of each supports it, otherwise with 1."""
    from saferec_core.analysis.gate import check_claims, read_claim
    from saferec_core.analysis.junit import Case, write_junit
    from saferec_core.analysis.results import read_results
    from saferec_core.runs.locate import find_results  # scipy is slow to import

    claims = [read_claim(text, "max") for text in at_most or ()]
    claims += [read_claim(text, "min") for text in at_least or ()]
    wanted = [(run, when)] if baseline is None else [(run, when), (baseline, None)]
    file, *others = for_each(lambda named: find_results(named[0], when=named[1], decoding=decoding), wanted)
    results, other = read_results(file), None
    for compared in others:
        other = read_results(compared)
        if compared.resolve() == file.resolve():
            raise ConfigError(
                f"{compared} would be compared with itself; name another run, or the .parquet file of an "
                "evaluation before training"
            )
    checked = check_claims(results, claims, baseline=other, confidence=confidence)
    holds = all(result.holds for result in checked)
    if junit is not None:
        cases = [Case(result.claim.text, result.holds, result.sentence) for result in checked]
        write_junit(junit, "saferec gate", str(run), cases)
    if as_json:
        facts = {
            "file": str(file),
            "policy": results.policy,
            "protocol": results.protocol.get("id"),
            "baseline": None if baseline is None else str(baseline),
            "confidence": confidence,
            "holds": holds,
            "claims": [result.as_data() for result in checked],
        }
        print_json(facts)
    else:
        from saferec_cli.render_gate import verdicts

        verdicts(checked, results, confidence)
    if not holds:
        raise typer.Exit(REFUSED)
