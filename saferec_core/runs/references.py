"""The reference policy of a run, from which its KL divergence is measured."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from saferec_core.config.schema import TrainConfig
from saferec_core.errors import RunError
from saferec_core.runs.checkpoints import resolve_folder, sft_policy, starting_policy
from saferec_core.runs.layout import RunLayout, list_checkpoints, run_of
from saferec_core.runs.manifest import read_manifest, stage_of

__all__ = [
    "START",
    "Reference",
    "check_reference",
    "described_reference",
    "planned_reference",
    "policies_of",
    "reference_of",
    "reference_of_begun",
]

START = "start"
"""As a reference policy: the policy that training starts from."""


class Reference(NamedTuple):
    """A reference policy that is not the policy that training starts from."""

    policy: str
    """A folder, or an id on the hub."""
    kept_from: Path | None = None
    """The run whose reference it has been; None: the user has named it."""


def reference_of(start: str, named: str | None) -> Reference | None:
    """Return the reference policy of training that starts from *start*; None: that policy itself.

    Training that starts from a policy of Safe-Rank-GRPO keeps the reference of that policy's run.

    Args:
        start: The policy that training starts from, before adapters are merged into it.
        named: ``--reference-policy``.

    Raises:
        RunError: The run did not finish whose policy is named, or the manifest of a run is damaged.
    """
    if named == START:
        return None
    if named is not None:
        return Reference(resolve_folder(named))
    begun = run_of(Path(start))
    if begun is None or stage_of(begun) != "train":
        return None
    return Reference(_reference_of_run(begun), begun.path)


def reference_of_begun(run: RunLayout, start: str, named: str | None) -> Reference | None:
    """Return the reference policy of a run that may be resumed: the one that it has trained against so far.

    Args:
        run: The run.
        start: As of `reference_of`, for a run that has not begun.
        named: As of `reference_of`.

    Raises:
        RunError: As of `reference_of`.
    """
    stated = read_manifest(run).get("reference")
    if isinstance(stated, Mapping):
        if "kept_from" not in stated:  # the policy that it started from
            return None
        kept_from = stated["kept_from"]
        return Reference(_reference_of_run(run), None if kept_from is None else Path(kept_from))
    if run.policy.is_dir() or list_checkpoints(run.checkpoints):  # begun before manifests named it
        return None
    return reference_of(start, named)


def planned_reference(config: TrainConfig) -> Reference | None:
    """Return the reference policy of a run that has not begun; None: the policy that it starts from.

    Raises:
        RunError: As in `reference_of`, or the policy to start from cannot be found.
    """
    if config.sft_comes_first:  # and makes the policy to start from
        return None if config.reference_policy is None else reference_of("", config.reference_policy)
    start = str(config.model.model)
    if config.sft_checkpoint is not None:
        start = sft_policy(config.sft_checkpoint, config.model.model, config.output_dir)
    return reference_of(start, config.reference_policy)


def check_reference(reference: Reference) -> None:
    """Refuse a reference that was kept from a run but no longer exists.

    Raises:
        RunError: It does not.
    """
    policy, kept_from = reference
    is_path = policy.startswith((".", "/")) or policy.count("/") > 1
    if kept_from is not None and is_path and not Path(policy).exists():
        raise RunError(
            f"the reference policy of {kept_from}, from which training starts, no longer exists ({policy}). "
            "Name another one with --reference-policy; '--reference-policy start' measures the KL "
            "divergence from the policy that this training starts from"
        )


def described_reference(reference: Reference | None) -> str:
    """Return what the KL divergence is measured from, as plans state it."""
    if reference is None:
        return "the policy that training starts from"
    kept_from = reference.kept_from
    return f"{reference.policy} ({'--reference-policy' if kept_from is None else f'kept from {kept_from}'})"


def policies_of(run: RunLayout, start: str, reference: Reference | None) -> Mapping[str, Any]:
    """Return what the manifest of a run says about the policies that its training began with.

    Args:
        run: The run; folders within it are named relative to it, so that it may be moved.
        start: The policy that training starts from.
        reference: The one that the KL divergence is measured from, if that is another.
    """
    other = {} if reference is None else {"kept_from": reference.kept_from and str(reference.kept_from)}
    policy = start if reference is None else reference.policy
    return {"start": _within(run, start), "reference": {"policy": _within(run, policy), **other}}


def _reference_of_run(run: RunLayout) -> str:
    """Return the policy that a Safe-Rank-GRPO run measured its KL divergence from.

    Before manifests named it, that was the policy that the run started from.
    """
    reference = read_manifest(run).get("reference")
    if isinstance(reference, Mapping) and isinstance(policy := reference.get("policy"), str):
        inside = run.path / policy
        return str(inside.resolve()) if inside.is_dir() else policy
    policy = str(run.base) if run.base.is_dir() else starting_policy(run)  # with adapters merged, or as it is
    return str(Path(policy).resolve()) if Path(policy).exists() else policy


def _within(run: RunLayout, policy: str) -> str:
    """Name a folder within a run relative to it."""
    path = Path(policy)
    if not path.exists():
        return policy  # an id on the hub
    path, folder = path.resolve(), run.path.resolve()
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
