"""What Safe-Rank-GRPO starts from: the policy, and the reference of its KL divergence."""

from __future__ import annotations

from saferec_core.config.schema import TrainConfig
from saferec_core.evaluation.setup import Parts
from saferec_core.models.loading import merged_folder
from saferec_core.plugins.offered import Plugins
from saferec_core.runs.checkpoints import sft_policy
from saferec_core.runs.distributed import from_main, is_main
from saferec_core.runs.folder import RunFolder
from saferec_core.runs.observer import Observer
from saferec_core.runs.references import Reference, check_reference, policies_of, reference_of_begun
from saferec_core.runs.resuming import OpenRun
from saferec_core.runs.stopping import Stop
from saferec_core.training.optimizers import settled
from saferec_core.training.sft import train_sft

__all__ = ["starting_point"]


def starting_point(
    config: TrainConfig,
    plugins: Plugins,
    parts: Parts,
    folder: RunFolder,
    observer: Observer,
    *,
    opened: OpenRun,
    stop: Stop,
) -> tuple[str, Reference | None]:
    """Return the policy to start from and, if it is another, the one to measure the KL divergence from.

    If the run names no SFT policy but a stage of Safe SFT, the policy is trained first.

    Args:
        config: The run.
        plugins: What is installed.
        parts: What both stages work with.
        folder: The run's folder.
        observer: Notified of what happens.
        opened: Where the run continues, if it does.
        stop: Whether the run is asked to end.

    Raises:
        SaferecError: A policy cannot be found or read, or Safe SFT failed.
    """
    start = str(config.model.model)
    if config.sft_checkpoint is not None:
        start = sft_policy(config.sft_checkpoint, config.model.model, config.output_dir)
    elif config.sft is not None:
        observer.note("No SFT policy is named, so one is trained first (Safe SFT).")
        sft, optimizer = settled(config.sft_config())
        # The main process decides: another might look before or after the folder is made.
        from_main(lambda: None if folder.sft.exists else folder.make_sft(sft))
        if not from_main(folder.sft.policy.is_dir):
            train_sft(
                sft, plugins, parts, folder.sft, observer, optimizer=optimizer, opened=opened, stop=stop
            )
        start = str(folder.sft.policy)
    reference = from_main(lambda: reference_of_begun(folder, start, config.reference_policy))
    whole_start = from_main(lambda: merged_folder(start, config.model, folder.base))
    if is_main():
        folder.extend_manifest(policies_of(folder, whole_start, reference))
    if not config.kl_beta:
        return whole_start, None
    if reference is not None:
        check_reference(reference)
        if reference.kept_from is not None:
            observer.note(
                f"{start} was trained by Safe-Rank-GRPO. The KL divergence is measured from the reference of "
                f"its run, {reference.policy}; --reference-policy start measures it from {start} instead."
            )
        policy = reference.policy
        whole = from_main(lambda: merged_folder(policy, config.model, folder.reference))
        reference = reference._replace(policy=whole)
    return whole_start, reference
