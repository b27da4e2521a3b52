"""What a chain of transforms can be told."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from saferec_core.config.sections import ComponentChoice, Section

__all__ = ["ChainConfig", "WorkConfig"]


def _usable_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class WorkConfig(Section):
    """How the work is done; nothing here changes what comes out."""

    num_proc: int = Field(default_factory=_usable_cores, ge=1)
    """Processes that work on parts of a file; as many as there are cores if not given."""
    cache_dir: Path | None = None
    """Where finished steps are kept, to be taken up or used again; ``.saferec-cache`` beside the output
    if not given."""
    max_rejects: float = Field(default=0.01, ge=0, le=1)
    """Share of its rows that a step may reject before it stops, in 0..1."""
    overwrite: bool = False
    """Replace an output that holds something else; it is kept until the new one is complete."""
    fresh: bool = False
    """Do every step again, also where its result is in the cache."""


class ChainConfig(WorkConfig):
    """A chain of transforms from an input to an output."""

    input: Path
    """Rows: JSONL, CSV or TSV, each also gzipped, Parquet, or a folder written by datasets."""
    output: Path
    """What is made: a file (.jsonl or .parquet), or a folder with a file for each split and a card."""
    steps: list[ComponentChoice] = Field(min_length=1)
    """Transforms by name, in order; every other key of a step is an option of the transform."""
    form: Literal["datasets", "jsonl", "parquet"] = "datasets"
    """How the splits of a folder are written."""
    catalog_path: Path | None = None
    """Titles that may be recommended, for every step that has an option of this name."""
    oracle: ComponentChoice | None = None
    """What tells violations, likewise."""
    traits_path: Path | None = None
    """Traits (YAML) in place of the built-in ones, likewise."""
    year_tolerance: int = Field(default=2, ge=0)
    """By how many years a release year may be off where titles are matched, likewise."""
    list_length: int = Field(default=10, ge=1)
    """Titles of a recommended list, likewise."""
    seed: int = Field(default=0, ge=0)
    """Of everything that is drawn, likewise."""

    @property
    def handed_down(self) -> dict[str, Any]:
        """What a step takes over where its own options leave it open."""
        names = ("catalog_path", "oracle", "traits_path", "year_tolerance", "list_length", "seed")
        return {name: value for name in names if (value := getattr(self, name)) is not None}
