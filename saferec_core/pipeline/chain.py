"""A chain of transforms, from the input to what is published."""

from __future__ import annotations

import platform
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import saferec_core
from saferec_core.data.json_lines import as_line
from saferec_core.data.traits import read_traits
from saferec_core.errors import ConfigError, DataError
from saferec_core.pipeline.config import ChainConfig, WorkConfig, usable_cores
from saferec_core.pipeline.executor import Executor, begin, collecting_rarely
from saferec_core.pipeline.fingerprints import input_key, step_key
from saferec_core.pipeline.local_executor import LocalExecutor
from saferec_core.pipeline.output import (
    LOSSES,
    alone_at,
    check_output,
    check_paths,
    is_file_name,
    is_up_to_date,
    losses_of,
    publishing,
    write_manifest,
)
from saferec_core.pipeline.step import Step, StepResult, run_step
from saferec_core.pipeline.writers import publish
from saferec_core.plugins.build import build_parser, chosen
from saferec_core.plugins.contracts.transform import Transform
from saferec_core.plugins.offered import Plugins
from saferec_core.runs.observer import Observer, Plan, StepReport

__all__ = ["run_chain"]


def run_chain(config: ChainConfig, plugins: Plugins, observer: Observer) -> list[StepResult]:
    """Run a chain, reusing finished steps from the cache, and publish its result.

    Args:
        config: The chain.
        plugins: The installed plugins.
        observer: Receives progress.

    Returns:
        The result of each step.

    Raises:
        SaferecError: A file or name does not exist, an input is malformed, a step failed, or the output
            holds something else.
    """
    if not config.input.exists():
        raise ConfigError(f"input {config.input} does not exist; name a file or a datasets folder")
    check_paths(config.output, config.input, _cache(config))
    transforms = _transforms(config, plugins)
    folders, key = _folders(config, plugins, transforms)
    with alone_at(config.output):
        return _make(config, plugins, observer, transforms, folders, key)


def _make(
    config: ChainConfig,
    plugins: Plugins,
    observer: Observer,
    transforms: Sequence[Transform],
    folders: Sequence[Path],
    key: str,
) -> list[StepResult]:
    current = is_up_to_date(config.output, key) and not config.fresh
    if not current:
        check_output(config.output, key, overwrite=config.overwrite)
    observer.plan(_plan(config))
    results: list[StepResult] = []
    source = config.input
    with _executor(config) as executor, collecting_rarely():
        for choice, transform, folder in zip(config.steps, transforms, folders, strict=True):
            total = results[-1].account.written if results else None
            step = Step(choice.name, transform, source, folder)
            results.append(_run(step, config, executor, observer, total))
            if not is_file_name(config.output):
                _check_rows_are_left(results[-1])
            source = results[-1].rows
        if not current:
            _publish(config, executor, results, _manifest(config, plugins, key, results))
    observer.note(f"{config.output} is up to date." if current else f"Written: {config.output}")
    return results


def _transforms(config: ChainConfig, plugins: Plugins) -> list[Transform]:
    inherited = {**config.handed_down, "cache_path": _cache(config) / "responses.sqlite"}
    return [chosen(plugins, plugins.transforms, choice, inherited) for choice in config.steps]


def _cache(config: ChainConfig) -> Path:
    return config.cache_dir or config.output.parent / ".saferec-cache"


def _folders(
    config: ChainConfig, plugins: Plugins, transforms: Sequence[Transform]
) -> tuple[list[Path], str]:
    """Return each step's folder, named after everything that determines its result, and the output's key."""
    key, folders = input_key(config.input), []
    for choice, transform in zip(config.steps, transforms, strict=True):
        entry = plugins.find(plugins.transforms, choice.name)
        key = step_key(key, entry, transform)
        folders.append(_cache(config) / f"{entry.name}-{key[:16]}")
    return folders, f"{key}-{config.form}"


def _run(
    step: Step, config: ChainConfig, executor: Executor, observer: Observer, total: int | None
) -> StepResult:
    observer.stage_began(step.name, total)
    began = time.perf_counter()
    try:
        result = run_step(
            step,
            executor=executor,
            max_rejects=config.max_rejects,
            fresh=config.fresh,
            on_progress=lambda rows: observer.stepped(StepReport(rows)),
        )
    finally:
        observer.stage_ended()
    if not result.cached:
        account, seconds = result.account, time.perf_counter() - began
        observer.note(
            f"{step.name}: {account.read:,} rows read, {account.written:,} written, {seconds:.1f} s"
        )
    return result


def _check_rows_are_left(result: StepResult) -> None:
    """Refuse to make a dataset of no rows where they were lost, not where they are missed."""
    account = result.account
    if account.written:
        return
    reasons = [f"{times:,} removed: {reason}" for reason, times in account.removed.most_common(3)]
    rejected = [f"{account.rejected:,} rejected, such as {each}" for each in account.rejections[:1]]
    lost = "".join(f"\n  {each}" for each in (*reasons, *rejected))
    raise DataError(
        f"step {account.step!r} leaves no rows: it has read {account.read:,}{lost}\n"
        f"The rows and what was counted: {result.folder}"
    )


def _plan(config: ChainConfig) -> Plan:
    facts = {
        "input": str(config.input),
        "output": str(config.output),
        "steps": " -> ".join(choice.name for choice in config.steps),
        "executor": config.executor,
        "processes": _processes(config),
        "cache": str(_cache(config)),
    }
    return Plan("Data", facts)


def _executor(config: ChainConfig) -> Executor:
    if config.executor == "ray":
        from saferec_core.pipeline.ray_executor import RayExecutor

        return RayExecutor(config.num_proc, _cache(config))
    return LocalExecutor(config.num_proc or usable_cores())


def _processes(config: ChainConfig) -> str:
    if config.num_proc is None and config.executor == "ray":
        return "one for each CPU of the cluster"
    return str(config.num_proc or usable_cores())


def _publish(
    config: ChainConfig, executor: Executor, results: Sequence[StepResult], manifest: Mapping[str, Any]
) -> None:
    output = config.output
    with publishing(output) as draft:
        if is_file_name(output):
            shutil.copyfile(results[-1].rows, draft / output.name)
        else:
            _publish_splits(config, executor, results, draft)
        for kind in LOSSES:
            _join_losses(results, kind, draft / losses_of(output, kind).name)
        write_manifest(draft, output, manifest)


def _publish_splits(
    config: ChainConfig, executor: Executor, results: Sequence[StepResult], draft: Path
) -> None:
    from saferec_core.pipeline.card.markdown import describe, markdown  # only where a dataset is made
    from saferec_core.pipeline.card.page import page

    rows, traits = results[-1].rows, read_traits(config.traits_path)
    described = begin(
        executor,
        describe,
        rows,
        name=config.output.name,
        traits=traits,
        parser=build_parser(config.parser, catalog_path=config.catalog_path),
    )
    published = publish(rows, draft, form=config.form)
    accounts = [result.account for result in results]
    facts = replace(described(), published=published, accounts=accounts)
    (draft / "README.md").write_text(markdown(facts), encoding="utf-8")
    (draft / "card.html").write_text(page(facts), encoding="utf-8")


def _join_losses(results: Sequence[StepResult], kind: str, out: Path) -> None:
    """Join the rows that the steps removed or rejected into one file, if there are any."""
    lost = [(result.account.step, result.folder / f"{kind}.jsonl") for result in results]
    lost = [(step, path) for step, path in lost if path.stat().st_size]
    if not lost:
        return
    with out.open("wb") as file:
        for step, path in lost:
            begin = as_line({"step": step}).rstrip(b"}\n") + b","  # the rest is the inside of an object
            with path.open("rb") as rows:
                file.writelines(begin + row.removeprefix(b"{") for row in rows)


def _manifest(
    config: ChainConfig, plugins: Plugins, key: str, results: Sequence[StepResult]
) -> dict[str, Any]:
    """Describe what the output was made from, without times, so that equal work gives equal files."""
    entries = [plugins.find(plugins.transforms, choice.name) for choice in config.steps]
    made_of = config.model_dump(mode="json", exclude=set(WorkConfig.model_fields))
    return {
        "key": key,
        "saferec": saferec_core.__version__,
        "python": platform.python_version(),
        "suppliers": sorted({f"{entry.origin.distribution} {entry.origin.version}" for entry in entries}),
        "config": made_of,
        "input_sha256": input_key(config.input),
        "steps": [result.account.as_json() for result in results],
    }
