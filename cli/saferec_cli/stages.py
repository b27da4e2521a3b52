"""What ``saferec train``, ``saferec sft`` and ``saferec plan`` share: resolve, check everything, plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import typer

from saferec_cli.printing import print_json
from saferec_cli.resolve import Request, resolve
from saferec_core.config.load import Layer
from saferec_core.config.schema import StageConfig
from saferec_core.errors import ConfigError, one_error
from saferec_core.plugins.manager import load_plugins
from saferec_core.plugins.offered import Plugins
from saferec_core.runs.observer import Observer

if TYPE_CHECKING:
    from saferec_core.training.probe import StageTime

__all__ = ["run_stage"]

ConfigT = TypeVar("ConfigT", bound=StageConfig)

NOT_READY = 2
"""Exit status of a plan that cannot be carried out."""


def run_stage(
    kind: type[ConfigT],
    engine: Callable[[ConfigT, Plugins, Observer], Path] | None,
    config: Path | None,
    flags: Sequence[Layer],
    settings: Sequence[str],
    *,
    rewards: Sequence[str] = (),
    transforms: Sequence[str] = (),
    smoke: bool = False,
    probe: Callable[[ConfigT, Plugins], Sequence[StageTime]] | None = None,
    quiet: bool = False,
    as_json: bool = False,
) -> None:
    """Check a run as a whole, then carry it out with *engine*, or show its plan where there is none.

    A plan has the times that *probe* measures, if it is given and nothing keeps the run from starting.
    """
    from saferec_core.preflight.check import find_problems  # Arrow; not for --help

    plugins = load_plugins()
    request = resolve(kind, config, flags, settings, rewards=rewards, transforms=transforms, smoke=smoke)
    problems = [
        *request.resolved.problems,
        *find_problems(request.resolved.config, plugins, is_demo=request.is_demo),
    ]
    if as_json and engine is not None:
        raise ConfigError("--json prints the plan of a run: give --dry-run with it")
    if engine is None:
        _show_plan(request, problems, _measured(request, problems, probe, plugins), as_json=as_json)
        return
    if problems:
        raise one_error(problems, _hint(kind, problems))

    from saferec_cli.render import QuietObserver, RichObserver  # --help needs none of this
    from saferec_cli.running import running

    with running("checkpoints and logs stay in the run folder"):
        if request.is_demo:
            _make_demo(request.resolved.config)
        engine(request.resolved.config, plugins, QuietObserver() if quiet else RichObserver())


def _measured(
    request: Request[ConfigT],
    problems: list[str],
    probe: Callable[[ConfigT, Plugins], Sequence[StageTime]] | None,
    plugins: Plugins,
) -> Sequence[StageTime]:
    """Return the times of the stages that *probe* measures; a problem of its own joins the others."""
    from saferec_core.preflight.check import processes

    if probe is None or problems:
        return ()
    if processes(request.resolved.config) > 1:
        problems.append("--probe measures one process; leave out --processes and the launcher, or --probe")
        return ()
    from saferec_cli.running import running  # imports transformers

    with running("nothing is left of the probe"):
        if request.is_demo:
            _make_demo(request.resolved.config)
        return probe(request.resolved.config, plugins)


def _show_plan(
    request: Request[ConfigT], problems: list[str], times: Sequence[StageTime], *, as_json: bool
) -> None:
    from saferec_core.preflight.plan import plan_run  # Arrow; not for --help

    plan = plan_run(request.resolved, problems, times)
    if as_json:
        print_json(plan.as_json(), default=str)
    else:
        from saferec_cli.render_plan import run_plan  # rich is not needed for JSON

        run_plan(plan)
    if problems:
        raise typer.Exit(NOT_READY)


def _hint(kind: type[StageConfig], problems: Sequence[str]) -> str:
    """Say what a newcomer can do who has named next to nothing."""
    if not any(problem.startswith(("--train-path is", "--catalog-path is")) for problem in problems):
        return ""
    command = "sft" if kind.__name__ == "SftConfig" else "train"
    return (
        f"Write a commented configuration with 'saferec init {command}', or run 'saferec {command}' alone "
        "for the demo."
    )


def _make_demo(config: StageConfig) -> None:
    from saferec_core.demo.profile import make_demo
    from saferec_core.preflight.problems import Problems
    from saferec_core.preflight.rates import check_rates

    make_demo(config.output_dir, seed=config.seed, max_records=config.data.max_records)
    problems = Problems()
    check_rates(problems, config)  # which could not be looked at before there were weights
    if problems.lines:
        raise one_error(problems.lines)
