"""Whole checkpoints: sealed with the size and hash of every file, which are checked before use.

A checkpoint is written under another name, sealed, and only then renamed to ``checkpoint-STEP``. One under
that name that has no seal, or a file that does not match it, was damaged later or comes from elsewhere, and
no run resumes from it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from xxhash import xxh3_128

from saferec_core.runs.layout import list_checkpoints

__all__ = ["SEAL", "damage", "newest_resumable", "seal", "sealed_facts", "thin"]

SEAL = "saferec.json"
"""Name of the seal within a checkpoint."""


def seal(checkpoint: Path, facts: Mapping[str, Any]) -> None:
    """Write sizes and hashes of all files of a checkpoint, and force everything to the disk.

    Args:
        checkpoint: A folder that is complete.
        facts: Further facts about the checkpoint, such as the sizes of the logs.
    """
    files = {}
    for path in _files(checkpoint):
        with path.open("rb") as file:
            os.fsync(file.fileno())
        files[path.relative_to(checkpoint).as_posix()] = {
            "bytes": path.stat().st_size,
            "xxh3_128": _hash(path),
        }
    _write(checkpoint, {**facts, "files": files})


def sealed_facts(checkpoint: Path) -> dict[str, Any]:
    """Return what a checkpoint was sealed with; empty if it has no readable seal."""
    try:
        loaded = json.loads((checkpoint / SEAL).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return loaded if _is_seal(loaded) else {}


def damage(checkpoint: Path) -> str:
    """Return what is wrong with a checkpoint; empty if it is intact."""
    facts = sealed_facts(checkpoint)
    if not facts:
        return f"it has no readable {SEAL}, so it was not completed, or not by saferec"
    for name, wanted in facts["files"].items():
        path = checkpoint / name
        try:
            if not path.is_file():
                return f"{name} is missing"
            if path.stat().st_size != wanted["bytes"]:
                return f"{name} has {path.stat().st_size} bytes instead of {wanted['bytes']}"
            if _hash(path) != wanted["xxh3_128"]:
                return f"the content of {name} has changed since it was written"
        except OSError as error:
            return f"{name} cannot be read: {error.strerror or error}"
    return ""


def newest_resumable(folder: Path, report: Callable[[str], None]) -> Path | None:
    """Return the newest checkpoint that training can continue from; None if there is none.

    Args:
        folder: Folder of the checkpoints.
        report: Called with a sentence for every damaged checkpoint that is passed over, and if none is left.
    """
    checkpoints = list_checkpoints(folder)
    for checkpoint in reversed(checkpoints):
        if reason := damage(checkpoint):
            report(f"{checkpoint} is damaged and is skipped: {reason}.")
        elif sealed_facts(checkpoint).get("resumable", True):
            return checkpoint
    if checkpoints:
        report(f"No checkpoint of {folder} can be continued from, so the stage begins anew.")
    return None


def thin(checkpoint: Path, patterns: Iterable[str]) -> None:
    """Remove from a sealed checkpoint what only training needs; it stays whole, but cannot be resumed."""
    facts = sealed_facts(checkpoint)
    if not facts or not facts.get("resumable", True):
        return
    doomed = {path for pattern in patterns for path in checkpoint.glob(pattern) if path.is_file()}
    names = {path.relative_to(checkpoint).as_posix() for path in doomed}
    files = {name: wanted for name, wanted in facts["files"].items() if name not in names}
    _write(checkpoint, {**facts, "resumable": False, "files": files})  # first: the rest may then go
    for path in doomed:
        path.unlink(missing_ok=True)


def _is_seal(loaded: Any) -> bool:
    """Tell whether this is what :func:`seal` writes; another version may have written something else."""
    if not isinstance(loaded, dict) or not isinstance(files := loaded.get("files"), dict):
        return False
    described = all(
        isinstance(each, dict) and each.keys() >= {"bytes", "xxh3_128"} for each in files.values()
    )
    return described and isinstance(loaded.get("logs"), dict) and isinstance(loaded.get("processes"), int)


def _files(checkpoint: Path) -> list[Path]:
    return sorted(path for path in checkpoint.rglob("*") if path.is_file() and path.name != SEAL)


def _hash(path: Path) -> str:
    digest = xxh3_128()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return str(digest.hexdigest())


def _write(checkpoint: Path, facts: Mapping[str, Any]) -> None:
    draft = checkpoint / f".{SEAL}"
    with draft.open("w", encoding="utf-8") as file:
        json.dump(facts, file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(checkpoint / SEAL)
