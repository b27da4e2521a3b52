"""``saferec data show``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from saferec_cli.options import JsonOption
from saferec_cli.printing import print_json
from saferec_core.errors import ConfigError

__all__ = ["show"]


def show(
    dataset: Annotated[
        Path, typer.Argument(metavar="DATASET", help="Records: JSONL, Parquet or a folder of a dataset.")
    ],
    model: Annotated[str, typer.Option(help="Model whose chat template and tokenizer are applied.")],
    row: Annotated[int, typer.Option(min=1, help="Row to show, from 1.")] = 1,
    *,
    problems: Annotated[
        bool,
        typer.Option("--problems", help="List what looks wrong in all rows; exits with 1 if anything does."),
    ] = False,
    max_length: Annotated[
        int | None,
        typer.Option(
            min=1, help="Limit on the tokens of prompt and completion; by default the model's context."
        ),
    ] = None,
    catalog_path: Annotated[
        Path | None, typer.Option(help="Catalog in which the titles of the target list are looked up.")
    ] = None,
    oracle_path: Annotated[
        Path | None, typer.Option(help="Oracle that judges the target list; needs --catalog-path.")
    ] = None,
    domain_path: Annotated[
        Path | None,
        typer.Option(
            help="Domain file, which says how lists are written; by default as the model's run has it."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show records as the policy reads them: template, tokens, loss, and the target list with verdicts.

    --problems checks all rows instead: roles that the template refuses or leaves out, consecutive turns
    of one role, completions without an end token, lengths, constraints that no sentence states, and target
    titles that the catalog lacks.
    """
    if oracle_path is not None and catalog_path is None:
        raise ConfigError("--oracle-path needs --catalog-path, whose titles it judges")
    from saferec_cli.render_record import problem_table, record_sheet
    from saferec_core.preflight.records import open_records

    inspected = open_records(
        dataset,
        model,
        catalog_path=catalog_path,
        oracle_path=oracle_path,
        domain_path=domain_path,
        max_length=max_length,
    )
    if problems:
        faults = inspected.problems()
        if as_json:
            print_json(faults.as_data())
        else:
            problem_table(faults)
        raise typer.Exit(1 if faults.rows_by_problem else 0)
    shown = inspected.show(row)
    if as_json:
        print_json(shown.as_data())
        return
    record_sheet(shown)
