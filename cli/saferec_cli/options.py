"""Arguments that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from saferec_cli import completion

__all__ = [
    "CatalogPathOption",
    "ConfigArgument",
    "DryRunOption",
    "InstructionOption",
    "JsonOption",
    "NumTitlesOption",
    "OraclePathOption",
    "PlanJsonOption",
    "PolicyRunOption",
    "QuietOption",
    "RewardOption",
    "SettingOption",
    "SmokeOption",
    "TransformOption",
    "UnknownOption",
]

ConfigArgument = Annotated[Path | None, typer.Argument(help="Run configuration (YAML).", metavar="CONFIG")]
SettingOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Set any key of the configuration by its path, such as rewards.safety.weight=2; repeatable.",
        rich_help_panel="Run",
    ),
]
RewardOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="Use exactly these reward functions; repeatable. See 'saferec plugins list'.",
        autocompletion=completion.names_of("rewards"),
        rich_help_panel="Training",
    ),
]
TransformOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help='Dataset transform to apply, with options as in "filter-samples min_truth=2"; repeatable.',
        autocompletion=completion.names_of("transforms"),
        rich_help_panel="Model and data",
        hidden=True,
    ),
]
SmokeOption = Annotated[
    bool,
    typer.Option(
        "--smoke",
        help="Try the whole run on next to nothing: two steps a stage, 200 records of each split, a few "
        "prompts to evaluate.",
        rich_help_panel="Run",
    ),
]
NumTitlesOption = Annotated[
    int | None,
    typer.Option(
        "-k",
        "--num-titles",
        min=1,
        help="Titles of a list; by default as many as the lists of the policy's run are judged by, else 10.",
        rich_help_panel="List",
    ),
]
UnknownOption = Annotated[
    str,
    typer.Option(
        metavar="allow|forbid",
        help="Whether a guided list may hold titles that the oracle cannot judge.",
        rich_help_panel="List",
    ),
]
PolicyRunOption = Annotated[
    str | None,
    typer.Option(
        "--run",
        metavar="RUN",
        help="Run whose catalog, oracle and parser are used, and training records for a baseline; by default "
        "the policy's.",
        autocompletion=completion.runs,
        rich_help_panel="Model and data",
    ),
]
CatalogPathOption = Annotated[
    Path | None,
    typer.Option(help="Catalog; by default that of the policy's run.", rich_help_panel="Model and data"),
]
OraclePathOption = Annotated[
    Path | None,
    typer.Option(
        help="Oracle file or table; by default that of the policy's run.", rich_help_panel="Model and data"
    ),
]
InstructionOption = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        help="Instruction (system message) in front of prompts that have none; by default that of the run's "
        "training records. none: no instruction.",
        rich_help_panel="Model and data",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
PlanJsonOption = Annotated[
    bool,
    typer.Option("--json", help="Print the plan as JSON; with --dry-run.", rich_help_panel="Run"),
]
QuietOption = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        help="Print only errors and where the results are.",
        rich_help_panel="Run",
    ),
]
DryRunOption = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Check everything, print what would be done, and stop.",
        rich_help_panel="Run",
    ),
]
ProbeOption = Annotated[
    bool,
    typer.Option(
        "--probe",
        help="Estimate the time by a few real steps of each stage. Writes nothing but the demo's files.",
        rich_help_panel="Run",
    ),
]
