"""Checkpoints: find them, and keep what generation needs of one."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from saferec_core.errors import RunError
from saferec_core.runs.layout import RunLayout, checkpoint_step
from saferec_core.runs.manifest import stage_of

__all__ = ["copy_weights", "list_checkpoints", "resolve_folder", "sft_policy", "step_of"]

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
    return sorted((path for path in folder.glob("*") if step_of(path) >= 0), key=step_of)


def step_of(checkpoint: Path) -> int:
    """Return the optimizer step that a checkpoint was written after; -1 if it is not a checkpoint."""
    step = checkpoint_step(checkpoint.name)
    return -1 if step is None else step


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
    folders = map(RunLayout, output_dir.glob("*"))
    runs = [run for folder in folders for run in (folder, folder.sft) if stage_of(run) == "sft"]
    looked_at = []
    for run in sorted(runs, key=lambda run: run.config.stat().st_mtime, reverse=True):
        settings = yaml.safe_load(run.config.read_text(encoding="utf-8"))
        if (settings.get("model") or {}).get("model") != model:
            continue
        checkpoint = run.checkpoint(int(reference))
        looked_at.append(str(checkpoint))
        if checkpoint.is_dir():
            return str(checkpoint)
    places = ", ".join(looked_at) or f"no SFT run of {model!r} is in {output_dir}"
    raise RunError(
        f"no SFT checkpoint of step {reference} was found (looked at: {places}); name its folder with "
        "--sft-checkpoint"
    )


def resolve_folder(reference: str) -> str:
    """Turn a run folder into its policy's folder; leave everything else alone."""
    policy = RunLayout(Path(reference)).policy
    return str(policy) if policy.is_dir() else reference
