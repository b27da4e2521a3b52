"""Checkpoints: find them, and keep what generation needs of one."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import yaml

from saferec_core.errors import RunError

__all__ = ["copy_weights", "list_checkpoints", "sft_policy", "step_of"]

_STEP = re.compile(r"checkpoint-(\d+)$")
_TRAINING_STATE = (
    "optimizer*",
    "scheduler*",
    "rng_state*",
    "trainer_state*",
    "training_args*",
    "*.pth",
)


def list_checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints of a folder in the order of their steps."""
    found = [path for path in folder.glob("checkpoint-*") if _STEP.search(path.name)]
    return sorted(found, key=step_of)


def step_of(checkpoint: Path) -> int:
    """Return the optimizer step that a checkpoint was written after."""
    match = _STEP.search(checkpoint.name)
    return int(match[1]) if match else -1


def copy_weights(checkpoint: Path, target: Path) -> None:
    """Copy a checkpoint without the state that only training needs."""
    shutil.copytree(checkpoint, target, ignore=shutil.ignore_patterns(*_TRAINING_STATE))


def sft_policy(reference: str, model: str | None, output_dir: Path) -> str:
    """Find the SFT policy that ``--sft-checkpoint`` means.

    Args:
        reference: A checkpoint folder, a run folder, a hub id, or the step of a checkpoint of the
            last SFT run of *model*.
        model: The pretrained model of the run.
        output_dir: Where run folders are.

    Raises:
        RunError: No SFT run of the model has a checkpoint of that step.
    """
    if not reference.isdigit():
        return resolve_folder(reference)
    configs = [*output_dir.glob("*/config.yaml"), *output_dir.glob("*/sft/config.yaml")]
    looked = []
    for path in sorted(configs, key=lambda path: path.stat().st_mtime, reverse=True):
        try:
            config = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, OSError, UnicodeDecodeError):
            continue  # somebody else's file
        if not isinstance(config, dict) or "max_length" not in config:
            continue  # no SFT run
        if (config.get("model") or {}).get("model") != model:
            continue
        checkpoint = path.parent / "checkpoints" / f"checkpoint-{reference}"
        looked.append(str(checkpoint))
        if checkpoint.is_dir():
            return str(checkpoint)
    places = ", ".join(looked) or f"no SFT run of {model!r} is in {output_dir}"
    raise RunError(
        f"no SFT checkpoint of step {reference} was found (looked at: {places}); name its folder with "
        "--sft-checkpoint"
    )


def resolve_folder(reference: str) -> str:
    """Turn a run folder into its policy's folder; leave everything else alone."""
    policy = Path(reference) / "policy"
    return str(policy) if policy.is_dir() else reference
