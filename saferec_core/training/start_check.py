"""Whether the policy that reinforcement learning starts from has faults that it would sharpen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from saferec_core.evaluation.evaluator import Evaluation
from saferec_core.rl.rewards import ActiveReward

__all__ = ["faults_of_start"]

MOST_WASTED = 0.1
"""Titles a list that may repeat an earlier one or have been seen; more, and Safe SFT was too short."""

LENGTH_OFF = 0.1
"""Share of the target by which the mean length may be off."""


def faults_of_start(
    before: Sequence[Evaluation], kinds: Sequence[str], rewards: Sequence[ActiveReward]
) -> Iterator[str]:
    """Yield a sentence for each fault of the lists that the start policy writes.

    Reinforcement learning rewards what a policy already does at times; of a policy that repeats titles it
    makes one that repeats them more often.

    Args:
        before: The evaluations before training, one for each decoding.
        kinds: The decodings, such as ``"greedy"``.
        rewards: The reward functions of the run; one of them may want a number of titles.
    """
    target = next((r.function.target for r in rewards if r.function.target is not None), None)
    for kind, evaluation in zip(kinds, before, strict=False):
        results, found = evaluation.results, []
        for metric, words in (("duplicates", "repeat a title"), ("seen", "name a seen title")):
            if metric in results.metrics and (mean := results.mean(metric)) > MOST_WASTED:
                found.append(f"{words} {mean:.2f} times a list")
        if target is not None and "list_length" in results.metrics:
            length = results.mean("list_length")
            if abs(length - target) > LENGTH_OFF * target:
                found.append(f"have {length:.2f} titles, but {target} are wanted")
        if found:
            yield (
                f"The start policy's {kind} lists {' and '.join(found)}. Reinforcement learning sharpens the "
                "faults of its start: a longer Safe SFT costs less than unlearning them."
            )
