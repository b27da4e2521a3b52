"""``saferec data run``, ``saferec data build`` and ``saferec data show``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from saferec_cli import completion, data_show
from saferec_cli.flags import with_flags
from saferec_cli.options import QuietOption, SettingOption
from saferec_cli.resolve import oracle_name, setting_layers
from saferec_core.config.load import Layer, Resolved, resolved
from saferec_core.config.settings import parse_value, read_settings
from saferec_core.errors import ConfigError, near_misses, one_error
from saferec_core.pipeline.config import ChainConfig
from saferec_core.plugins.component import Option, options_of
from saferec_core.plugins.manager import load_plugins
from saferec_core.plugins.offered import Plugins

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Turn dialogues into datasets.", rich_markup_mode="rich")
app.command()(data_show.show)

OutOption = Annotated[
    Path | None,
    typer.Option("--out", help="A .jsonl file, or a folder for a dataset.", rich_help_panel="Data pipeline"),
]
VerboseOption = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        help="Print what each step counted, with examples.",
        rich_help_panel="Run",
    ),
]


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
@with_flags(ChainConfig)
def run(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="Transform; see 'saferec plugins list'.",
            autocompletion=completion.names_of("transforms"),
        ),
    ],
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="JSONL, CSV, TSV, Parquet or a folder.")],
    out: OutOption = None,
    setting: SettingOption = None,
    quiet: QuietOption = False,
    *,
    flags: list[Layer],
) -> None:
    """Apply one transform to a file.

    Every option of the transform is a flag as well ('saferec plugins show NAME' lists them), such as
    --rate 0.5 for inject-constraints.
    """
    if out is None:
        raise ConfigError(f"data run {name}: --out is missing; give --out FILE.jsonl or --out FOLDER")
    plugins = load_plugins()
    entry = plugins.find(plugins.transforms, name)
    options = _options(entry.name, context.args, options_of(entry.load()))
    step = {"name": entry.name, **options}
    given = [*flags, *setting_layers(setting or ())]
    base = Layer("argument", {"input": source, "output": out, "steps": [step]})
    _run(
        resolved(ChainConfig, files=[base], overrides=[oracle_name([], given), *given]),
        plugins,
        quiet,
        verbose=not quiet,
    )


@app.command()
@with_flags(ChainConfig)
def build(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="Chain of transforms (YAML).")],
    out: OutOption = None,
    setting: SettingOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    *,
    flags: list[Layer],
) -> None:
    """Run a chain of transforms; steps that have not changed are not run again."""
    plugins = load_plugins()
    files = [Layer(str(config), read_settings(config))]
    given = [*flags, *setting_layers(setting or ())]
    if out is not None:
        given.append(Layer("--out", {"output": out}))
    overrides = [oracle_name(files, given), *given]
    _run(resolved(ChainConfig, files=files, overrides=overrides), plugins, quiet, verbose=verbose)


def _run(request: Resolved[ChainConfig], plugins: Plugins, quiet: bool, *, verbose: bool) -> None:
    from saferec_core.preflight.components import find_chain_problems  # Arrow; not for --help

    config = request.config
    problems = [*request.problems, *find_chain_problems(config, plugins)]
    if problems:
        raise one_error(problems)

    from saferec_cli.interrupting import interruptible
    from saferec_cli.render import QuietObserver, RichObserver
    from saferec_cli.render_data import chain_details, chain_summary
    from saferec_core.pipeline.chain import run_chain

    with interruptible("finished steps are kept; the same command continues after them"):
        results = run_chain(config, plugins, QuietObserver() if quiet else RichObserver())
    if verbose:
        chain_details(results)
    if not quiet:
        chain_summary(results, config.output)


def _options(name: str, arguments: Sequence[str], options: Sequence[Option]) -> dict[str, Any]:
    """Read ``--option value``, ``--option=value``, ``--switch`` and ``--no-switch``."""
    known = {option.name: option for option in options}
    given: dict[str, Any] = {}
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        flag, equals, value = argument.partition("=")
        key = flag.removeprefix("--").replace("-", "_")
        if not argument.startswith("--"):
            raise ConfigError(f"data run {name}: unexpected argument {argument!r}")
        if not equals and key.startswith("no_") and _is_switch(known, key.removeprefix("no_")):
            given[key.removeprefix("no_")] = False
            continue
        if key not in known:
            flags = ["--" + option.replace("_", "-") for option in known]
            raise ConfigError(
                f"transform {name!r} has no option {flag!r}.{near_misses(flag, flags)} Options: "
                f"{', '.join(sorted(flags)) or 'none'}."
            )
        if not equals and _is_switch(known, key):
            given[key] = True
            continue
        if not equals:
            if not rest:
                raise ConfigError(f"data run {name}: {flag} needs a value")
            value = rest.pop(0)
        given[key] = _value(known[key], value, flag)
    return given


def _is_switch(known: Mapping[str, Option], key: str) -> bool:
    return key in known and known[key].type == "bool"


def _value(option: Option, text: str, flag: str) -> Any:
    """Leave text and numbers to the component's own checks; lists and mappings are read as YAML."""
    if not any(word in option.type for word in ("list[", "dict[", "tuple[", "Choice")):
        return text
    return parse_value(text, flag)
