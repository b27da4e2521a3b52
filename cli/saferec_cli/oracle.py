"""``saferec oracle build``, ``saferec oracle check`` and ``saferec oracle card``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from saferec_cli import completion
from saferec_cli.options import JsonOption, SettingOption
from saferec_cli.printing import print_json
from saferec_cli.resolve import setting_layers
from saferec_core.config.load import Layer, resolved
from saferec_core.config.settings import read_settings
from saferec_core.errors import ConfigError, UnknownNameError
from saferec_core.oracle_files.deciding import OPEN_FROM, RISK_THRESHOLD

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True, help="Build oracles and inspect their verdicts.", rich_markup_mode="rich"
)

OraclePathOption = Annotated[Path, typer.Option(help="Oracle file made by 'saferec oracle build'.")]
YearToleranceOption = Annotated[
    int, typer.Option(min=0, help="Maximum difference in release year, in years, when looking titles up.")
]
RiskThresholdOption = Annotated[
    float, typer.Option(min=0, max=1, help="A risk of at least this is a violation, in 0..1.")
]
OpenFromOption = Annotated[
    float,
    typer.Option(
        min=0,
        max=1,
        help="Evidence of a risk from this up to the threshold leaves open whether a title violates.",
    ),
]


@app.command()
def build(
    config: Annotated[
        Path | None, typer.Argument(help="Sources and settings (YAML).", metavar="CONFIG")
    ] = None,
    source: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FILE",
            help="Source of evidence and its file; repeatable. Two of one kind need names of their own: "
            "tags:keywords=FILE. See 'saferec plugins list'.",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Oracle file to write; by default oracle.arrow.")] = None,
    traits_path: Annotated[
        Path | None, typer.Option(help="Traits (YAML) in place of the built-in ones.")
    ] = None,
    aliases_path: Annotated[
        Path | None,
        typer.Option(
            help="Alternative names of titles: rows with title, alias and, if any, year, alias_year."
        ),
    ] = None,
    join_tolerance: Annotated[
        int | None,
        typer.Option(help="Maximum difference in release year between sources, in years; by default 2."),
    ] = None,
    max_rejects: Annotated[
        float | None,
        typer.Option(help="Share of a source's rows that may be malformed, in 0..1; by default 0.01."),
    ] = None,
    overwrite: Annotated[
        bool | None, typer.Option("--overwrite", help="Replace an existing oracle file.")
    ] = None,
    setting: SettingOption = None,
) -> None:
    """Join sources of content warnings into one oracle file.

    Options of a source are settings: --set sources.tags.keywords_column=tags.
    """
    from saferec_core.oracle_files.build import OracleBuildConfig, run_oracle_build  # Arrow; not for --help

    flags = {
        "out": out,
        "traits_path": traits_path,
        "aliases_path": aliases_path,
        "join_tolerance": join_tolerance,
        "max_rejects": max_rejects,
        "overwrite": overwrite,
    }
    given = [
        Layer(f"--{name.replace('_', '-')}", {name: value})
        for name, value in flags.items()
        if value is not None
    ]
    files = [] if config is None else [Layer(str(config), read_settings(config))]
    layers = [Layer("--source", _sources(source or ())), *given, *setting_layers(setting or ())]
    chosen = resolved(OracleBuildConfig, files=files, overrides=layers).checked()

    from saferec_cli.interrupting import interruptible
    from saferec_cli.render_oracle import build_table, reading

    with interruptible("nothing was written; give the same command again"), reading() as began:
        report = run_oracle_build(chosen, began=began)
    build_table(report)


@app.command()
def check(
    name: Annotated[str, typer.Argument(metavar="TITLE", help="The title, in any common spelling.")],
    year: Annotated[
        int | None,
        typer.Argument(
            metavar="[YEAR]",
            help="Its release year, unless the title has it in brackets; left out where it has none.",
        ),
    ] = None,
    trait: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TRAIT",
            help="Trait to check; repeatable. By default all.",
            autocompletion=completion.traits,
        ),
    ] = None,
    oracle_path: OraclePathOption = Path("oracle.arrow"),
    risk_threshold: RiskThresholdOption = RISK_THRESHOLD,
    open_from: OpenFromOption = OPEN_FROM,
    year_tolerance: YearToleranceOption = 2,
    *,
    as_json: JsonOption = False,
) -> None:
    """Show an oracle's verdict on a title and the evidence for it."""
    from saferec_core.config.choices import DEFAULT_ORACLE, ComponentChoice
    from saferec_core.data.title_cells import dated
    from saferec_core.oracle_files.check import check_title
    from saferec_core.plugins.build import build_oracle

    options = {"path": str(oracle_path), "risk_threshold": risk_threshold, "open_from": open_from}
    oracle = ComponentChoice.model_validate({"name": DEFAULT_ORACLE, **options})
    checked = check_title(
        build_oracle(oracle, year_tolerance=year_tolerance),
        dated(name, year),
        trait or (),
        path=oracle_path,
        risk_threshold=risk_threshold,
        open_from=open_from,
        year_tolerance=year_tolerance,
    )
    if as_json:
        print_json(checked.as_json())
        return
    from saferec_cli.render_oracle import title_sheet  # rich is not needed for JSON

    title_sheet(checked)


@app.command()
def card(
    oracle_path: OraclePathOption = Path("oracle.arrow"),
    catalog_path: Annotated[
        Path | None, typer.Option(help="Titles that may be recommended; by default those of the oracle.")
    ] = None,
    examples: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TRAIT",
            help="List the most popular titles that it blocks, passes and leaves unknown; repeat, or 'all'.",
        ),
    ] = None,
    popularity_path: Annotated[
        Path | None,
        typer.Option(
            help="Rows with title, year if any, and a number (count, votes, ...) to weight coverage by."
        ),
    ] = None,
    popularity_column: Annotated[
        str | None, typer.Option(help="Column of that number, if it has a name of its own.")
    ] = None,
    risk_threshold: RiskThresholdOption = RISK_THRESHOLD,
    open_from: OpenFromOption = OPEN_FROM,
    year_tolerance: YearToleranceOption = 2,
    *,
    as_json: JsonOption = False,
) -> None:
    """Show what an oracle knows of a catalog, what it blocks, and where its sources disagree."""
    from saferec_core.data.catalog import read_catalog
    from saferec_core.oracle_files.card import oracle_card
    from saferec_core.oracle_files.format import OracleFile
    from saferec_core.oracle_files.popularity import popularity_of

    oracle = OracleFile(oracle_path)
    catalog = None if catalog_path is None else read_catalog(catalog_path).titles
    titles = [oracle.title(rows[0]) for rows in oracle.works()] if catalog is None else catalog
    popularity = None
    if popularity_path is not None:
        popularity = popularity_of(
            titles, popularity_path, column=popularity_column, year_tolerance=year_tolerance
        )
    figures = oracle_card(
        oracle,
        catalog,
        popularity=popularity,
        examples=_traits(examples or (), oracle.traits),
        year_tolerance=year_tolerance,
        threshold=risk_threshold,
        open_from=open_from,
    )
    if as_json:
        print_json(figures.as_json())
        return
    from saferec_cli.render_oracle import card_tables  # rich is not needed for JSON

    card_tables(figures)


def _traits(named: Sequence[str], known: Sequence[str]) -> Sequence[str]:
    for trait in named:
        if trait not in {*known, "all"}:
            raise UnknownNameError("trait", trait, known)
    return known if "all" in named else list(dict.fromkeys(named))


def _sources(given: Sequence[str]) -> Mapping[str, Any]:
    """Read ``NAME=FILE`` and ``OWN_NAME:NAME=FILE``."""
    sources: dict[str, dict[str, Any]] = {}
    for text in given:
        names, equals, path = text.partition("=")
        own, _, component = names.rpartition(":")
        label = own or component
        if not (equals and label and component and path):
            raise ConfigError(f"--source expects NAME=FILE or OWN_NAME:NAME=FILE, but got {text!r}")
        if label in sources:
            raise ConfigError(
                f"--source {label} is given twice; give each a name of its own, such as "
                f"--source more:{component}={path}"
            )
        sources[label] = {"name": component, "path": path}
    return {"sources": sources} if sources else {}
