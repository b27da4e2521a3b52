"""Whether the policy that reinforcement learning starts from has faults that it would amplify."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import fmean

from saferec_core.evaluation.evaluator import Evaluation
from saferec_core.rl.rewards import ActiveReward

__all__ = ["faults_of_start"]

MOST_WASTED = 0.1
"""Titles per list that may repeat an earlier one or have been seen; more, and Safe SFT was too short."""

LENGTH_OFF = 0.1
"""Share of the target by which the mean length may be off."""


def faults_of_start(
    before: Sequence[Evaluation], kinds: Sequence[str], rewards: Sequence[ActiveReward]
) -> Iterator[str]:
    """Yield a sentence for each fault of the lists that the start policy writes.

    Reinforcement learning rewards what a policy already does at times; a policy that repeats titles learns to
    repeat them more often.

    Args:
        before: The evaluations before training, one per decoding.
        kinds: The decodings, such as ``"greedy"``.
        rewards: The reward functions of the run; one of them may want a number of titles.
    """
    target = next((r.function.target for r in rewards if r.function.target is not None), None)
    for kind, evaluation in zip(kinds, before, strict=False):
        lists = evaluation.results.table.column("titles").to_pylist()
        faults = []
        for mark, words in (("repeated", "repeat a title"), ("seen", "name a seen title")):
            per_list = fmean(sum(bool(title[mark]) for title in titles) for titles in lists)
            if per_list > MOST_WASTED:
                faults.append(f"{words} {per_list:.2f} times per list")
        length = fmean(map(len, lists))
        if target is not None and abs(length - target) > LENGTH_OFF * target:
            faults.append(f"have {length:.2f} titles, but {target} are wanted")
        if faults:
            yield (
                f"The start policy's {kind} lists {' and '.join(faults)}. Reinforcement learning amplifies "
                "such faults: a longer Safe SFT costs less than unlearning them."
            )
