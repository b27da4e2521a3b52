"""A grid of arms x seeds, read from YAML and checked as a whole before anything runs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from saferec_core.config.yaml_text import read_yaml

__all__ = ["Arm", "Finding", "Grid", "GridError", "Statement", "World", "changes", "read_grid"]


class GridError(Exception):
    """What is wrong with a grid, for whoever wrote it."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class World(_Part):
    """Where data, catalog, oracle and the untrained model come from."""

    demo: bool = False
    """The embedded demo, a world of its own for every seed."""
    right_labels: float | None = Field(default=None, ge=0, le=1)
    """Of the demo: share of training records whose one relevant title is right. None: all, all right."""
    settings: dict[str, Any] = {}
    """Settings of every run in it; unneeded for the demo."""
    train: dict[Literal["plain", "safe"], Path] = {}
    """Records of Safe SFT and of plain SFT; unneeded for the demo."""

    @model_validator(mode="after")
    def _labels_are_those_of_the_demo(self) -> Self:
        if self.right_labels is not None and not self.demo:
            raise ValueError(
                "right_labels belongs to the demo: other worlds have the labels of their records"
            )
        return self


class Arm(_Part):
    """One way to come by a recommender: SFT, reinforcement learning, or a way to write lists."""

    label: str
    """What it is, in a few words."""
    sft: Literal["plain", "safe"] | None = None
    """Supervised fine-tuning on these records."""
    of: str | None = None
    """The arm whose policy it starts from, or whose lists it changes."""
    train: dict[str, Any] | None = None
    """Reinforcement learning from there: settings over those of the study. Its rewards replace others."""
    credit: Literal["exact", "newline"] = "exact"
    """Tokens of a rank: those of the title, or all up to the next one, as the reference implementation."""
    level: Literal["rank", "sequence", "gspo"] = "rank"
    """Rank-level advantages by saferec, or one advantage for a completion by TRL's own GRPOTrainer: with the
    ratio of each token (GRPO), or with that of the whole completion and the clip range of the GSPO paper."""
    lists: Literal["filtered", "guided"] | None = None
    """Without training: titles that violate taken out of the lists, or never written (guided decoding)."""

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        kinds = [self.sft is not None, self.train is not None, self.lists is not None]
        if sum(kinds) != 1:
            raise ValueError("must have exactly one of sft, train and lists")
        if (self.sft is None) != (self.of is not None):
            raise ValueError("needs 'of' unless it is sft, which starts from the untrained model")
        return self


class Statement(_Part):
    """A difference that a finding claims."""

    metric: str
    arm: str
    claim: Literal["lower", "higher", "not lower", "not higher"]
    than: str
    margin: float = Field(default=0.0, ge=0)
    """Of "not lower" and "not higher": how much worse still counts as no loss."""


class Finding(_Part):
    """One of the Safe-Rank-GRPO paper's findings, as statements that must all hold."""

    title: str
    statements: list[Statement] = Field(min_length=1)


class Grid(_Part):
    """A study."""

    title: str = "The findings, tested"
    """Of the page."""
    about: str = ""
    """What the page says first, in Markdown."""
    world: World = World(demo=True)
    seeds: list[int] = Field(min_length=1)
    settings: dict[str, Any] = {}
    """Settings of every arm, over those of the world."""
    arms: dict[str, Arm] = Field(min_length=1)
    findings: list[Finding] = []

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        problems, before = [], set[str]()
        for name, arm in self.arms.items():
            if name in {"", ".", ".."} or Path(name).name != name:
                problems.append(f"arm {name!r} cannot be the name of a folder")
            if arm.of is not None and arm.of not in before:
                problems.append(f"arm {name} is of {arm.of!r}, which is no arm in front of it")
            if arm.sft is not None and not self.world.demo and arm.sft not in self.world.train:
                problems.append(f"arm {name} is SFT on {arm.sft} records, but the world names none (train)")
            before.add(name)
        for finding in self.findings:
            for statement in finding.statements:
                problems += [
                    f"finding {finding.title!r} compares {name!r}, which is not an arm"
                    for name in (statement.arm, statement.than)
                    if name not in self.arms
                ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def runs(self) -> dict[str, Any]:
        """Return what results depend on: all but how they are read, and which seeds there are."""
        return self.model_dump(mode="json", exclude={"title", "about", "findings", "seeds"})


def read_grid(path: Path, world: Path | None = None) -> Grid:
    """Read a grid, with another world in place of its own if one is named.

    What the page says first is then the ``about`` of that world.

    Raises:
        GridError: The file cannot be read, or does not make sense; every problem is named.
    """
    settings = _read(path)
    if world is not None and isinstance(settings, dict):
        settings["world"] = _read(world)
        settings["about"] = settings["world"].pop("about", "") if isinstance(settings["world"], dict) else ""
    try:
        return Grid.model_validate(settings)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise GridError(f"{path} is not a grid: {'; '.join(lines).removeprefix(': ')}") from None


def changes(grid: Grid, stored: Path) -> list[str]:
    """Return what differs between *grid* and the one that earlier results were made with.

    Findings may change and seeds may be added at any time: they change no result.
    """
    try:
        before = json.loads(stored.read_text(encoding="utf-8"))
    except ValueError as error:
        raise GridError(f"{stored} cannot be read: {error}") from None
    return sorted(_differences(before, grid.runs()))


def digest(grid: Grid) -> str:
    """Return a short hash of what results depend on."""
    return hashlib.sha256(json.dumps(grid.runs(), sort_keys=True).encode()).hexdigest()[:12]


def _read(path: Path) -> Any:
    try:
        return read_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise GridError(f"{path} cannot be read: {error}") from None


def _differences(before: Any, now: Any, path: str = "") -> list[str]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        return [
            difference
            for key in before.keys() | now.keys()
            for difference in _differences(before.get(key), now.get(key), f"{path}.{key}" if path else key)
        ]
    return [] if before == now else [f"{path}: {before!r} is now {now!r}"]
