"""Checkpoints: find them, and keep what generation needs of one."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import yaml

from saferec_core.errors import RunError
from saferec_core.files import replacing
from saferec_core.runs.layout import RunLayout, list_checkpoints
from saferec_core.runs.manifest import stage_of
from saferec_core.runs.sealing import damage

__all__ = [
    "TRAINING_STATE",
    "copy_weights",
    "newest_usable",
    "remove_passed_over",
    "resolve_folder",
    "run_folder_of",
    "sft_policy",
    "starting_policy",
]

TRAINING_STATE = ("optimizer*", "scheduler*", "trainer_state*", "*.pth", "latest", "global_step*/**/*")
"""What only training needs of a checkpoint, DeepSpeed's parts included."""

_POLICY = (
    "*.safetensors",
    "*.safetensors.index.json",
    "adapter_config.json",
    "added_tokens.json",
    "chat_template*",
    "config.json",
    "configuration_*.py",
    "generation_config.json",
    "merges.txt",
    "modeling_*.py",
    "special_tokens_map.json",
    "tokenizer*",
    "vocab*",
)
"""What a policy is made of: weights, configuration, tokenizer, and code of its own if it has some."""


def newest_usable(run: RunLayout) -> Path | None:
    """Return the newest checkpoint of a run that is not damaged; None if there is none."""
    return next((each for each in reversed(list_checkpoints(run.checkpoints)) if not damage(each)), None)


def copy_weights(checkpoint: Path, target: Path) -> None:
    """Copy what a policy is made of out of a checkpoint; *target* appears complete or not at all."""
    with replacing(target) as draft:
        draft.mkdir()
        for path in sorted({path for pattern in _POLICY for path in checkpoint.glob(pattern)}):
            shutil.copy2(path, draft / path.name)


def remove_passed_over(checkpoints: Sequence[Path], chosen: Path, limit: int | None) -> None:
    """Remove checkpoints that were not chosen, except for the newest *limit*; None: remove nothing."""
    for checkpoint in checkpoints[: -limit if limit else 0]:
        if checkpoint != chosen:
            shutil.rmtree(checkpoint, ignore_errors=True)


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
    tried = ", ".join(looked_at) or f"no SFT run of {model!r} is in {output_dir}"
    raise RunError(
        f"no SFT checkpoint of step {reference} was found (looked at: {tried}); name its folder with "
        "--sft-checkpoint"
    )


def starting_policy(run: RunLayout) -> str:
    """Return the policy that the training of a run began with: its folder, or its id on the hub.

    Raises:
        RunError: *run* was not trained, its configuration cannot be read, or its Safe SFT did not finish.
    """
    if (stage := stage_of(run)) not in {"train", "sft"}:
        raise RunError(f"{run.path} is not a training run, so there is no policy from before its training")
    settings = yaml.safe_load(run.config.read_text(encoding="utf-8"))
    model = (settings.get("model") or {}).get("model")
    if stage == "train" and settings.get("sft_checkpoint") is not None:
        output_dir = Path(settings.get("output_dir") or "runs")
        return sft_policy(str(settings["sft_checkpoint"]), model, output_dir)
    if run.sft.exists:
        return resolve_folder(str(run.sft.path))
    if model is None:
        raise RunError(f"{run.config} does not name the model that the run began with")
    return resolve_folder(str(model))


def resolve_folder(reference: str) -> str:
    """Turn a run folder into its policy's folder; leave everything else alone.

    Raises:
        RunError: The run did not finish, so that it has no policy.
    """
    run = RunLayout(Path(reference))
    if run.policy.is_dir():
        return str(run.policy)
    if run.exists and run.manifest.is_file():
        last = newest_usable(run)
        instead = "" if last is None else f", or name its last intact checkpoint, {last}"
        raise RunError(
            f"the run {run.path} did not finish and has no policy; continue it with --resume-from {run.path}"
            f"{instead}"
        )
    return reference


def run_folder_of(path: Path) -> Path:
    """Return the run folder that a folder is or lies in: of a stage within a run, that of the run.

    Raises:
        RunError: It is not part of a run.
    """
    candidates = [path, *path.absolute().parents[:4]]
    linked = [path.resolve(), *path.resolve().parents[:4]]  # of a link from elsewhere to a checkpoint
    runs = [folder for folder in candidates if RunLayout(folder).exists] or [
        folder for folder in linked if RunLayout(folder).exists
    ]
    if not runs:
        reason = "lies in no run folder (none has a config.yaml)" if path.exists() else "does not exist"
        raise RunError(f"cannot resume from {path}: it {reason}; name a run folder or one of its checkpoints")
    return runs[-1]
