"""``saferec init``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from saferec_cli.flags import common_paths
from saferec_core.config.choices import Section
from saferec_core.config.schema import EvalConfig, SftConfig, TrainConfig
from saferec_core.config.template import template
from saferec_core.errors import RunError

__all__ = ["init"]

Kind = Literal["train", "sft", "eval", "data", "oracle"]

_ORACLE = {"name": "table", "path": "oracle.arrow"}
_MODEL = "Qwen/Qwen2.5-0.5B-Instruct"
_FILLED: Mapping[str, Mapping[str, Any]] = {
    "train": {
        "model.model": _MODEL,
        "data.train_path": "dataset/train",
        "data.test_path": "dataset/test",
        "data.catalog_path": "catalog.jsonl",
        "oracle": _ORACLE,
        "rewards": {
            "relevance": {"weight": 1.0},
            "safety": {"weight": 1.0},
            "count": {"weight": 1.0, "target": 10},
        },
        "normalizer": {"name": "gdpo"},
    },
    "sft": {
        "model.model": _MODEL,
        "data.train_path": "dataset/train",
        "data.validation_path": "dataset/validation",
        "data.catalog_path": "catalog.jsonl",
        "oracle": _ORACLE,
    },
    "eval": {"data.test_path": "dataset/test", "data.catalog_path": "catalog.jsonl", "oracle": _ORACLE},
    "data": {
        "input": "dialogues.jsonl.gz",
        "output": "dataset",
        "catalog_path": "catalog.jsonl",
        "oracle": _ORACLE,
        "steps": [
            {"name": name}
            for name in (
                *("from-redial", "map-titles", "split", "draw-traits", "filter-ground-truth"),
                *("filter-samples", "inject-constraints", "build-targets", "to-dataset"),
            )
        ],
    },
    "oracle": {
        "sources": {"rating-reasons": {"name": "rating-reasons", "path": "mpaa_reasons.csv"}},
        "out": "oracle.arrow",
    },
}
_COMMANDS: Mapping[str, str] = {
    "train": "saferec train {file}",
    "sft": "saferec sft {file}",
    "eval": "saferec eval RUN --config {file}",
    "data": "saferec data build {file}",
    "oracle": "saferec oracle build {file}",
}


def init(
    kind: Annotated[
        Kind, typer.Argument(metavar="KIND", help="What to configure: train, sft, eval, data or oracle.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="File to write; by default KIND.yaml.")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="List every key, not only the common ones.")] = False,
) -> None:
    """Write a commented configuration (YAML) to start from."""
    file = out or Path(f"{kind}.yaml")
    command = _COMMANDS[kind].format(file=file)
    text = template(
        _configuration(kind),
        title=f"Use with: {command}",
        filled=_FILLED[kind],
        shown=None if full else common_paths(_configuration(kind)),
    )
    try:
        with file.open("x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        raise RunError(f"{file} already exists and is not overwritten; choose another with --out") from None
    except OSError as error:
        raise RunError(f"{file} cannot be written: {error.strerror or error}") from error
    typer.echo(f"Written: {file}\nNext:    {command}")


def _configuration(kind: Kind) -> type[Section]:
    if kind == "data":
        from saferec_core.pipeline.config import ChainConfig

        return ChainConfig
    if kind == "oracle":
        from saferec_core.oracle_files.build import OracleBuildConfig  # Arrow; not for --help

        return OracleBuildConfig
    kinds: dict[str, type[Section]] = {"train": TrainConfig, "sft": SftConfig, "eval": EvalConfig}
    return kinds[kind]
