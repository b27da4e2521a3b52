"""Where the results of an evaluation go, and how they were made."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from saferec_core.analysis.results import read_results
from saferec_core.config.schema import RunConfig
from saferec_core.config.settings import as_yaml
from saferec_core.errors import RunError
from saferec_core.evaluation.evaluator import Evaluation
from saferec_core.evaluation.protocol import EvaluationProtocol
from saferec_core.files import json_hash, write_text
from saferec_core.plugins.offered import Plugins
from saferec_core.runs.checkpoints import resolve_folder
from saferec_core.runs.folder import RunFolder
from saferec_core.runs.layout import checkpoint_step, run_of

__all__ = ["INTERVAL", "circumstances", "folder_for", "policy_name", "results_path", "stem_of"]

INTERVAL = "95 %, BCa bootstrap over users, Wilson for shares; differences paired"
"""How the intervals of a summary are computed."""


def folder_for(
    reference: str, config: RunConfig, plugins: Plugins, out: Path | None, *, into_run: bool = True
) -> RunFolder:
    """Return the folder that gets the results, made if need be.

    That is *out* if it is named; else the run that the policy lies in; else a folder below
    ``output_dir`` that is named after the policy, so that an interrupted evaluation finds it again.

    Raises:
        RunError: It is a file, or cannot be written to.
    """
    run = run_of(Path(reference)) if into_run else None
    path = out or (run.path if run else config.output_dir / f"eval-{_slug(reference)}")
    folder = RunFolder(path)
    try:
        folder.evaluation.mkdir(parents=True, exist_ok=True)
        if not folder.exists:
            write_text(folder.config, as_yaml(config))
            folder.write_manifest(config, plugins, "eval")
    except (OSError, RunError) as error:
        raise RunError(f"results cannot be written to {path}: {error}; name a folder with --out") from error
    return folder


def stem_of(reference: str, folder: RunFolder) -> str:
    """Return what the files of a policy's results begin with: ``policy``, or the checkpoint's name."""
    policy = Path(resolve_folder(reference))
    inside = folder.path.absolute() in policy.absolute().parents
    return policy.name if inside and checkpoint_step(policy.name) is not None else "policy"


def results_path(
    folder: RunFolder,
    stem: str,
    protocol: EvaluationProtocol,
    *,
    choices: Mapping[str, Any],
    policy: str,
    data_sha256: str,
    ending: str = "",
) -> Path:
    """Return the file for results, so that no other results are overwritten.

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
        DataError: A file of that name exists, but cannot be read.
    """
    wanted = (dict(choices), policy, data_sha256)
    digest = json_hash(wanted)[:8]
    base = f"{stem}-{protocol.decoding_name}"
    for name in (base, f"{base}-{protocol.short}", f"{base}-{protocol.short}-{digest}"):
        path = folder.results(f"{name}{ending}")
        if not path.exists():
            break
        kept = read_results(path)
        if (dict(kept.protocol), kept.policy, kept.data_sha256) == wanted:
            break
    return path


def policy_name(reference: str) -> str:
    """Return what results call a policy: the whole path of its folder or file, or its id on the hub."""
    path = Path(resolve_folder(reference))
    return str(path.resolve()) if path.exists() else reference


def circumstances(
    config: RunConfig, evaluation: Evaluation, *, engine: str = "transformers"
) -> dict[str, Any]:
    """Return what a protocol leaves out of how figures were made."""
    results = evaluation.results
    columns = results.table.select(["record", "user", "constraints"]).to_pylist()
    records = {row["record"]: row for row in columns}.values()
    return {
        "policy": results.policy,
        "data_sha256": results.data_sha256,
        "records": len(records),
        "users": len({row["user"] for row in records}),
        "constraints": dict(sorted(Counter(t for row in records for t in row["constraints"]).items())),
        "eval_at": config.evaluation.eval_at,
        "engine": engine,
        "batch_size": config.evaluation.eval_batch_size,
        "seed": config.seed,
    }


def _slug(reference: str) -> str:
    """Name a folder after a policy; two policies of the same name have different ones."""
    path = Path(reference)
    whole = str(path.resolve()) if path.exists() else reference
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", path.name).strip("-.") or "policy"
    return f"{name}-{hashlib.sha256(whole.encode()).hexdigest()[:6]}"
