"""Configuration of a chain of transforms."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from saferec_core.config.choices import DEFAULT_PARSER, ComponentChoice, OracleChoice, Section
from saferec_core.config.domain import read_domain, with_domain

__all__ = ["ChainConfig", "WorkConfig", "usable_cores"]


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class WorkConfig(Section):
    """How the work is done; nothing here changes the result."""

    executor: Literal["local", "ray"] = "local"
    """What runs the parts of a step: processes of this machine, or a Ray cluster."""
    num_proc: int | None = Field(default=None, ge=1)
    """Worker processes at once; by default one per core, of this machine or of the Ray cluster."""
    cache_dir: Path | None = None
    """Folder of finished steps, which later runs reuse; by default ``.saferec-cache`` beside the output."""
    max_rejects: float = Field(default=0.01, ge=0, le=1)
    """Share of its rows that a step may reject before it stops, in 0..1."""
    overwrite: bool = False
    """Replace an existing output once the new one is complete."""
    fresh: bool = False
    """Run every step again, even if its result is cached."""


class ChainConfig(WorkConfig):
    """A chain of transforms from an input to an output."""

    input: Path
    """Rows: JSONL, CSV or TSV, each also gzipped, Parquet, or a folder written by datasets."""
    output: Path
    """A .jsonl file, or a folder with a file for each split and a card."""
    steps: list[ComponentChoice] = Field(min_length=1)
    """Transforms by name, in order; every other key of a step is an option of the transform."""
    form: Literal["datasets", "jsonl", "parquet"] = "datasets"
    """File format of the splits of a dataset folder."""
    domain_path: Path | None = None
    """Domain file (YAML): what is recommended, its traits, and how a list is written; films unless given. The
    settings below override it."""
    catalog_path: Path | None = None
    """Titles that may be recommended; default of this option for every step."""
    oracle: OracleChoice | None = None
    """Oracle that judges violations; default of this option for every step."""
    traits_path: Path | None = None
    """Traits (YAML) in place of the built-in ones; default for every step."""
    year_tolerance: int = Field(default=2, ge=0)
    """Maximum difference in release year, in years, when matching titles; default for every step."""
    parser: ComponentChoice = DEFAULT_PARSER
    """Parser: how lists are written in targets and read again; default for every step."""
    list_length: int = Field(default=10, ge=1)
    """Titles in a recommended list; default for every step."""
    seed: int = Field(default=0, ge=0)
    """Random seed; default for every step."""

    @property
    def handed_down(self) -> dict[str, Any]:
        """Options that a step takes over unless it sets them itself."""
        names = ("catalog_path", "oracle", "traits_path", "year_tolerance", "parser", "list_length", "seed")
        own = {name: value for name in names if (value := getattr(self, name)) is not None}
        domain = read_domain(self.domain_path)
        return {"items": domain.items, "entry": domain.entry, "consumed": domain.consumed, **own}

    @model_validator(mode="before")
    @classmethod
    def _of_domain(cls, settings: Any) -> Any:
        return with_domain(settings, "traits_path", "parser")
