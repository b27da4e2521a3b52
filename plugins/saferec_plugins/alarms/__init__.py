"""Built-in alarms: what a log says when a training run goes wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from saferec_core import hookimpl

if TYPE_CHECKING:
    from saferec_core.plugins.contracts.alarm import Alarm
    from saferec_core.plugins.registry import Registry

__all__ = ["saferec_register_alarms"]

_ALARMS = {
    "no-advantage": ("signal:NoAdvantage", "Nearly all advantages are 0, so nothing is learned."),
    "constant-reward": ("signal:ConstantReward", "A reward is the same for all completions of a prompt."),
    "saturated-reward": ("signal:SaturatedReward", "A reward is at its best value nearly everywhere."),
    "lone-reward": ("signal:LoneReward", "One reward supplies nearly all of the advantages' variance."),
    "drowned-reward": (
        "signal:DrownedReward",
        "A reward supplies far less of the advantages' variance than its weight.",
    ),
    "cut-off": ("lists:CutOff", "Nearly all completions are cut off at the length limit."),
    "waste": ("lists:Waste", "More ranks repeat a title, name a seen one or are wasted otherwise."),
    "list-length": ("lists:ListLength", "Lists become much longer or shorter."),
    "variety": ("lists:Variety", "The lists of a batch name far fewer different titles."),
    "coverage": ("lists:Coverage", "The oracle knows fewer of the titles that are recommended."),
    "entropy": ("policy:Entropy", "The policy has nearly stopped exploring."),
    "kl": ("policy:Kl", "The policy is far from the reference policy."),
    "frozen-weights": ("policy:FrozenWeights", "Optimizer steps move hardly any weight."),
    "sampler": ("policy:Sampler", "The sampler and the trainer disagree about probabilities."),
}


@hookimpl
def saferec_register_alarms(registry: Registry[Alarm]) -> None:
    """Offer the built-in alarms."""
    for name, (reference, summary) in _ALARMS.items():
        registry.add(name, f"saferec_plugins.alarms.{reference}", summary=summary)
