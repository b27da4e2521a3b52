"""Where the results of an evaluation go: into the run that the policy lies in, or a folder of their own."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from saferec_core.analysis.results import read_results
from saferec_core.config.load import as_yaml
from saferec_core.config.schema import RunConfig
from saferec_core.errors import RunError
from saferec_core.evaluation.protocol import Protocol
from saferec_core.plugins.manager import Plugins
from saferec_core.runs.checkpoints import resolve_folder
from saferec_core.runs.folder import RunFolder

__all__ = ["folder_for", "results_path", "stem_of"]

_CHECKPOINT = re.compile(r"checkpoint-\d+")


def folder_for(reference: str, config: RunConfig, plugins: Plugins, out: Path | None) -> RunFolder:
    """Return the folder that gets the results, made if need be.

    That is *out* if it is named; else the run that the policy lies in; else a folder below
    ``output_dir`` that is named after the policy, so that an interrupted evaluation finds it again.

    Raises:
        RunError: It is a file, or cannot be written to.
    """
    path = out or _run_of(reference) or config.output_dir / f"eval-{_slug(reference)}"
    folder = RunFolder(path)
    try:
        (path / "evaluation").mkdir(parents=True, exist_ok=True)
        if not (path / "config.yaml").exists():
            (path / "config.yaml").write_text(as_yaml(config), encoding="utf-8")
            folder.write_manifest(config, plugins)
    except OSError as error:
        raise RunError(f"results cannot be written to {path}: {error}; name a folder with --out") from error
    return folder


def stem_of(reference: str, folder: RunFolder) -> str:
    """Return what the files of a policy's results begin with: ``policy``, or the checkpoint's name."""
    policy = Path(resolve_folder(reference))
    inside = folder.path.absolute() in policy.absolute().parents
    return policy.name if inside and _CHECKPOINT.fullmatch(policy.name) else "policy"


def results_path(
    folder: RunFolder,
    stem: str,
    protocol: Protocol,
    *,
    choices: Mapping[str, Any],
    policy: str,
    data_sha256: str,
    ending: str = "",
) -> Path:
    """Return the file for results, so that none is lost that says something else.

    A file of the same protocol, policy and data is replaced; beside any other one the protocol's short
    id becomes part of the name.

    Args:
        folder: The run.
        stem: What the name begins with.
        protocol: How the policy is evaluated.
        choices: The protocol as it will be kept.
        policy: What is evaluated.
        data_sha256: Hash of the records.
        ending: What the name ends with, such as ``"-flip"``.

    Raises:
        DataError: A file of that name is there, but cannot be read.
    """
    told = (dict(choices), policy, data_sha256)
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:8]
    base = f"{stem}-{protocol.decoding}"
    for name in (base, f"{base}-{protocol.short}", f"{base}-{protocol.short}-{digest}"):
        path = folder.path / "evaluation" / f"{name}{ending}.parquet"
        if not path.exists():
            break
        found = read_results(path)
        if (dict(found.protocol), found.policy, found.data_sha256) == told:
            break
    return path


def _run_of(reference: str) -> Path | None:
    """Find the run folder that a policy lies in."""
    place = Path(reference)
    if not place.exists():
        return None
    above = (place, *place.absolute().parents[:3])
    return next((path for path in above if all((path / name).is_file() for name in _RUN_FILES)), None)


_RUN_FILES = ("config.yaml", "manifest.json")


def _slug(reference: str) -> str:
    """Name a folder after a policy; two policies of the same name have different ones."""
    place = Path(reference)
    whole = str(place.resolve()) if place.exists() else reference
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", place.name).strip("-.") or "policy"
    return f"{name}-{hashlib.sha256(whole.encode()).hexdigest()[:6]}"
