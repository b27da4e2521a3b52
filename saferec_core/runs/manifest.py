"""The manifest of a run: what it was made with."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import yaml

from saferec_core.config.schema import RunConfig
from saferec_core.errors import RunError
from saferec_core.files import data_hash
from saferec_core.plugins.audit import audit
from saferec_core.plugins.offered import Plugins
from saferec_core.runs.layout import RunLayout
from saferec_core.runs.versions import ENGINES, installed

__all__ = ["Stage", "is_finished", "manifest_of", "now", "read_manifest", "stage_of"]

Stage = Literal["sft", "train", "eval"]
"""What a run folder holds: Safe SFT, Safe-Rank-GRPO, or evaluations alone."""


def manifest_of(config: RunConfig, plugins: Plugins, stage: Stage) -> dict[str, Any]:
    """Return what a run is made with: stage, versions, plugins, data and state of the source."""
    names = {"train_path", "validation_path", "test_path", "catalog_path"}
    data: dict[str, Path | None] = config.data.model_dump(include=names)
    for option, value in (config.oracle.options if config.oracle else {}).items():
        if isinstance(value, str | Path) and Path(value).is_file():
            data[f"oracle.{option}"] = Path(value)
    return {
        "stage": stage,
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "created": now(),
        "seed": config.seed,
        "python": platform.python_version(),
        "versions": {name: installed(name) for name in ENGINES},
        "plugins": {
            f"{entry.kind}:{entry.name}": f"{entry.origin.distribution} {entry.origin.version}"
            for entry in plugins
        },
        "distributions": audit(plugins),
        "data": {
            name: {"path": str(path), "sha256": data_hash(path)}
            for name, path in data.items()
            if path is not None
        },
        "git": _git_state(),
    }


def now() -> str:
    """Return the time, as manifests state it."""
    return datetime.now(tz=UTC).isoformat(timespec="seconds")


def read_manifest(run: RunLayout) -> dict[str, Any]:
    """Return what the manifest of a run holds; empty if there is none yet.

    Raises:
        RunError: It is damaged.
    """
    if not run.manifest.is_file():
        return {}
    try:
        manifest = json.loads(run.manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(
            f"{run.manifest} is damaged ({error}); move it away to continue the run with a new one"
        ) from error
    return manifest if isinstance(manifest, dict) else {}


def is_finished(run: RunLayout) -> bool:
    """Return whether the manifest of a run says that it has come to its end."""
    try:
        return "finished" in read_manifest(run)
    except RunError:
        return False


def stage_of(run: RunLayout) -> str | None:
    """Return which stage a run folder holds; None if it is not one, or cannot be read.

    Manifests of runs made before version 0.3 do not state it: there, only the configuration of Safe SFT has a
    ``max_length``.
    """
    try:
        manifest = json.loads(run.manifest.read_text(encoding="utf-8"))
        if isinstance(manifest, dict) and "stage" in manifest:
            return str(manifest["stage"])
    except (OSError, ValueError):
        pass  # a run that has only just begun has no manifest yet
    try:
        config = yaml.safe_load(run.config.read_text(encoding="utf-8"))
    except (yaml.YAMLError, OSError, UnicodeDecodeError):
        return None
    if not isinstance(config, dict):
        return None
    return "sft" if "max_length" in config else "train"


def _git_state() -> Mapping[str, Any] | None:
    """Return commit and cleanliness of the repository that the run was started in, if any."""
    try:
        commit, changes = (
            subprocess.run(  # noqa: S603 - fixed arguments
                ["git", *arguments],  # noqa: S607 - the user's git
                capture_output=True,
                text=True,
                check=True,
                timeout=10,
            ).stdout.strip()
            for arguments in (["rev-parse", "HEAD"], ["status", "--porcelain"])
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "clean": not changes}
