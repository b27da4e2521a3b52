"""What a run knows about the prompts that its policy was trained on, for those who ask the policy later."""

from __future__ import annotations

from saferec_core.config.load import DEFAULT, Layer, Resolved, eval_settings
from saferec_core.config.schema import EvalConfig, RecommendConfig
from saferec_core.config.settings import read_settings
from saferec_core.runs.layout import RunLayout
from saferec_core.runs.manifest import read_manifest

__all__ = ["prompts_layers", "recommend_layers", "unknown_instruction"]


def prompts_layers(run: RunLayout, *, sentences: bool) -> list[Layer]:
    """Return the settings ``prompts`` as the manifest of a run has them; none if it says nothing.

    Args:
        run: The run.
        sentences: Whether the sentences that state constraints are wanted, too.

    Raises:
        RunError: The manifest is damaged.
    """
    form = read_manifest(run).get("prompts", {})
    wanted = ("instruction", "sentences") if sentences else ("instruction",)
    settings = {name: form[name] for name in wanted if name in form}
    return [Layer(str(run.manifest), {"prompts": settings})] if settings else []


def recommend_layers(run: RunLayout) -> list[Layer]:
    """Return what a run says about lists of its policy: how it is asked, and the settings.

    Raises:
        RunError: The manifest is damaged.
        ConfigError: The configuration is.
    """
    stored = eval_settings(read_settings(run.config))
    kept = {name: value for name, value in stored.items() if name != "evaluation"}
    return [*prompts_layers(run, sentences=True), Layer(str(run.config), kept)]


def unknown_instruction(
    policy: str, run: RunLayout | None, request: Resolved[RecommendConfig] | Resolved[EvalConfig]
) -> str | None:
    """Explain why no instruction is put in front of prompts; None if it is known whether there is one.

    Args:
        policy: What is asked.
        run: The run whose settings are used, if any.
        request: The settings.
    """
    if request.origin("prompts.instruction") != DEFAULT:
        return None
    if run is None:
        reason = f"{policy} does not lie in a run"
    elif "prompts" in read_manifest(run):
        reason = f"the training prompts of {run.path} begin with different system messages"
    else:
        reason = (
            f"{run.path} does not record what its training prompts begin with, as runs of an older saferec"
        )
    return (
        f"{reason}, so nothing is put in front of prompts. If the policy was trained with an instruction, "
        "give it with --instruction TEXT; if it was not, --instruction none ends this note."
    )
