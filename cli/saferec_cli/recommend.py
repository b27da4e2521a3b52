"""``saferec recommend``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from saferec_cli import completion
from saferec_cli.options import (
    CatalogPathOption,
    InstructionOption,
    JsonOption,
    NumTitlesOption,
    OraclePathOption,
    PolicyRunOption,
    QuietOption,
    SettingOption,
    UnknownOption,
)
from saferec_cli.printing import print_json
from saferec_cli.recommend_request import recommend_request
from saferec_core.errors import ConfigError, one_error
from saferec_core.plugins.manager import load_plugins

__all__ = ["recommend"]

_REQUEST, _LIST = "Request", "List"


def recommend(
    policy: Annotated[
        str,
        typer.Argument(
            metavar="POLICY",
            help="Run folder, checkpoint, model folder or hub id; or popularity, co-occurrence, random.",
            autocompletion=completion.runs,
        ),
    ],
    prompt: Annotated[
        str | None,
        typer.Option(
            help="What the user asks for; prompted for, or read from a pipe, if omitted.",
            rich_help_panel=_REQUEST,
        ),
    ] = None,
    constraint: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TRAIT",
            help="What must not be shown; repeatable.",
            autocompletion=completion.traits,
            rich_help_panel=_REQUEST,
        ),
    ] = None,
    seen: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TITLE",
            help='Title that must not come back, as in "Saw (2004)"; repeatable.',
            rich_help_panel=_REQUEST,
        ),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--input",
            help="Rows with prompt, and optionally constraints and seen_titles, instead of --prompt.",
            rich_help_panel=_REQUEST,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="JSONL file that gets a list for every row of --input.", rich_help_panel=_LIST),
    ] = None,
    num_titles: NumTitlesOption = None,
    guided: Annotated[
        bool,
        typer.Option(
            "--guided/--free",
            help="Only titles of the catalog, unseen and not known to violate a constraint; or anything.",
            rich_help_panel=_LIST,
        ),
    ] = True,
    unknown: UnknownOption = "allow",
    temperature: Annotated[
        float | None,
        typer.Option(min=0.01, help="Sample at this temperature instead of greedily.", rich_help_panel=_LIST),
    ] = None,
    run: PolicyRunOption = None,
    catalog_path: CatalogPathOption = None,
    oracle_path: OraclePathOption = None,
    instruction: InstructionOption = None,
    setting: SettingOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Ask a policy for a list, or for many, with a verdict and its evidence for every title.

    Lists are guided unless --free is given: by construction they repeat nothing, name nothing outside the
    catalog or already seen, and hold no known violation. What an interrupted call with --input had written
    is kept; the same command continues.
    """
    plugins = load_plugins()
    request, problems = recommend_request(
        policy,
        run,
        catalog_path,
        oracle_path,
        instruction,
        setting or (),
        plugins=plugins,
        num_titles=num_titles,
        unknown=unknown,
    )
    problems += _argument_problems(source=source, out=out, prompt=prompt, constraint=constraint)
    if problems:
        raise one_error(problems)
    wanted = "" if source is not None else _wish(prompt)

    from saferec_cli.render_recommend import recommended  # --help needs none of this
    from saferec_cli.running import running
    from saferec_core.recommendation.recommender import check_constraints
    from saferec_core.recommendation.run import (  # imports torch
        Asking,
        load_recommender,
        made_of,
        recommend_file,
    )

    asking = Asking(
        num_titles=request.config.num_ranks,
        guided=guided,
        unknown="forbid" if unknown == "forbid" else "allow",
        decoding="greedy" if temperature is None else "sampled",
        temperature=temperature or 1.0,
    )
    with running("the lists that are written are kept; the same command continues from there"):
        recommender = load_recommender(request.config, plugins, asking)
        if source is not None and out is not None:
            counts = recommend_file(
                recommender,
                source,
                out,
                asking,
                policy=policy,
                parts=made_of(request.config, recommender),
                progress=_progress(quiet),
            )
            if not quiet:
                typer.echo(_summary(counts, out))
            return
        constraints = constraint or []
        check_constraints(constraints, recommender.judge)
        record = recommender.prompts.wish(wanted, constraints=constraints, seen=seen or ())
        (recommendation,) = recommender([record])
    if as_json:
        print_json(recommendation.as_data())
    else:
        recommended(recommendation)


def _argument_problems(
    *, source: Path | None, out: Path | None, prompt: str | None, constraint: list[str] | None
) -> list[str]:
    """Name arguments that do not go together."""
    problems = []
    if (source is None) != (out is None):
        problems.append("--input and --out go together: the rows to read and the file that gets the lists")
    if source is not None and (prompt is not None or constraint):
        problems.append("--input brings its own prompts and constraints; leave --prompt and --constraint out")
    if source is not None and not source.exists():
        problems.append(f"--input {source} does not exist")
    return problems


def _wish(prompt: str | None) -> str:
    """Return what was typed, piped or named.

    Raises:
        ConfigError: Nothing was.
    """
    if prompt is None:
        prompt = str(typer.prompt("What are you looking for")) if sys.stdin.isatty() else sys.stdin.read()
    if not prompt.strip():
        raise ConfigError("the wish is empty; give --prompt, or --input with a file of prompts")
    return prompt


def _progress(quiet: bool) -> Any:
    if quiet:
        return None
    return lambda done: typer.echo(f"{done:,} rows", err=True)


def _summary(counts: Any, out: Path) -> str:
    parts = [_counted(counts["lists"], "list")]
    if counts["errors"]:
        parts.append(
            f"{_counted(counts['errors'], 'row')} could not be read, with the error in place of a list"
        )
    if counts["kept"]:
        parts.append(f"{_counted(counts['kept'], 'row')} done before")
    return f"{'; '.join(parts)}: {out}"


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
