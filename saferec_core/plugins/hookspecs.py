"""What a plugin may implement.

A plugin is a module or object named by an entry point of the group ``saferec``. It implements the
hooks it needs, each with ``@saferec_core.hookimpl``. Registration hooks run once, after all entry
points are loaded and before a configuration is read; they note down names and import nothing heavy.
What a name stands for is a class that inherits the base class of its kind: its options are its
(pydantic) dataclass fields, checked when a run builds it. Lifecycle hooks observe a run and return nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from saferec_core.plugins.contracts.alarm import Alarm
    from saferec_core.plugins.contracts.evidence import EvidenceSource
    from saferec_core.plugins.contracts.lifecycle import (
        CheckpointSaved,
        EvaluationFinished,
        RolloutsScored,
        RunFinished,
        RunStarted,
    )
    from saferec_core.plugins.contracts.metric import Metric
    from saferec_core.plugins.contracts.normalizer import Normalizer
    from saferec_core.plugins.contracts.oracle import Oracle
    from saferec_core.plugins.contracts.parser import ListParser
    from saferec_core.plugins.contracts.reward import RewardFunction
    from saferec_core.plugins.contracts.transform import Transform
    from saferec_core.plugins.registry import Registry

__all__ = ["PROJECT", "SPECIFICATION", "hookimpl", "hookspec"]

PROJECT = "saferec"
"""Name of the entry-point group and of the hook markers."""

SPECIFICATION = "0.3"
"""The release of saferec that last added a hook, or changed one. A plugin states the releases that it is made
for as what its distribution requires, such as ``saferec>=0.2,<1``; another release does not load it."""

hookspec = pluggy.HookspecMarker(PROJECT)
"""Marks a hook's specification."""

hookimpl = pluggy.HookimplMarker(PROJECT)
"""Marks a function of a plugin as the implementation of the hook that it is named after."""


@hookspec
def saferec_register_rewards(registry: Registry[RewardFunction]) -> None:
    """Offer reward functions under the names that a run configuration may use.

    A reward is built only for a run that gives it a weight, and is called once per generation
    batch and process::

        reward(batch) -> Float[Tensor, "N K"]   # scope "rank"
        reward(batch) -> Float[Tensor, " N"]    # scope "list"

    The class attribute ``scope`` says which. Of scope ``"rank"``, entry [n, k] rewards the title
    that completion n put at rank k + 1 and credits the tokens of that line only; of scope
    ``"list"``, entry [n] rewards completion n as a whole, its end included. Larger is better, NaN
    means "no value here" and never enters a mean. Weights are not the reward's business. An
    exception, another shape or an infinite value stops the run and names the reward.

    .. versionadded:: 0.1
    """


@hookspec
def saferec_register_oracles(registry: Registry[Oracle]) -> None:
    """Offer oracles, which judge whether a title violates a user's constraints.

    An oracle is called with a batch of questions and answers each with a
    :class:`~saferec_core.plugins.contracts.oracle.Verdict`: known or not, risk per trait in 0..1,
    violated traits. Its attribute ``traits`` names every trait it can judge; a constraint outside them is
    an error before training starts.

    .. versionadded:: 0.1
    """


@hookspec
def saferec_register_normalizers(registry: Registry[Normalizer]) -> None:
    """Offer normalizers: pure functions from rewards to advantages.

    Called once per generation batch with the rewards of all processes, rows prompt-major, the G
    siblings of a prompt adjacent; see :class:`~saferec_core.plugins.contracts.normalizer.Normalizer`.

    .. versionadded:: 0.1
    """


@hookspec
def saferec_register_metrics(registry: Registry[Metric]) -> None:
    """Offer metrics: what a list is worth, or all lists of an evaluation together.

    A metric is built once and called once per evaluation, or once for every K if it has a depth
    (``at_depth``)::

        metric(lists, k) -> Float[Tensor, " N"]  # kind "mean", or "share" where each list is 0 or 1
        metric(lists, k) -> Float[Tensor, ""]    # kind "whole": about all lists together

    Only the first k ranks count; without a depth, k is the K ranks that are judged. NaN means "no
    value here" and enters no mean: an empty list is not perfectly safe, and a prompt without ground
    truth has no recall. Rows, intervals and comparisons name the column ``recall@10``, or
    ``list_length`` without a depth. A metric that needs an oracle is left out where there is none.
    An exception, another shape, an infinite value, or a share other than 0 or 1 ends the evaluation
    and names the metric; see :class:`~saferec_core.plugins.contracts.metric.Metric`.

    .. versionadded:: 0.2
    """


@hookspec
def saferec_register_transforms(registry: Registry[Transform]) -> None:
    """Offer dataset transforms, importers included: rows in, rows out.

    ``saferec data run`` applies one, ``saferec data build`` a chain of them, to files of any size: a
    transform is called once for each part of a file, in several processes, and yields rows between
    which it may report what it removed, rejected or counted; see
    :class:`~saferec_core.plugins.contracts.transform.Transform`. ``saferec train --transform`` applies
    it to each split that is read.

    .. versionadded:: 0.1
    """


@hookspec
def saferec_register_parsers(registry: Registry[ListParser]) -> None:
    """Offer parsers, which read the titles and their spans out of a completion.

    A completion is parsed once; every reward, metric and the assignment of tokens to ranks use that
    one :class:`~saferec_core.plugins.contracts.parser.ParsedList`. Must run in time linear in the text.

    .. versionadded:: 0.1
    """


@hookspec
def saferec_register_evidence(registry: Registry[EvidenceSource]) -> None:
    """Offer sources of evidence: what ``saferec oracle build`` makes an oracle of.

    A source is called once with all rows of its file and yields, per title, a risk in 0..1 and what
    it rests on for each trait that it looked at; see
    :class:`~saferec_core.plugins.contracts.evidence.EvidenceSource`. Of several sources the highest risk
    counts.

    .. versionadded:: 0.2
    """


@hookspec
def saferec_register_alarms(registry: Registry[Alarm]) -> None:
    """Offer alarms: what says from a log that a training run is going wrong.

    Every alarm that is installed watches every run of Safe-Rank-GRPO, unless the run leaves it out. It is
    called on the main process whenever a row of figures is logged, with all rows so far::

        alarm(log) -> str | None

    A sentence (what was seen, what it means, which setting to change) raises it; it is reported once, until
    it has cleared. An alarm that fails is reported and left out, and training continues; see
    :class:`~saferec_core.plugins.contracts.alarm.Alarm`.

    .. versionadded:: 0.3
    """


@hookspec
def saferec_run_started(event: RunStarted) -> None:
    """Observe that a run begins to train, or is resumed.

    Called on the main process only. What is returned is ignored; a hook that fails is reported once and not
    called again in the run, which continues, unless ``--strict-plugins`` is given.

    .. versionadded:: 0.3
    """


@hookspec
def saferec_rollouts_scored(event: RolloutsScored) -> None:
    """Observe that a generation batch was rewarded.

    Called on the main process only. What is returned is ignored; a hook that fails is reported once and not
    called again in the run, which continues, unless ``--strict-plugins`` is given.

    .. versionadded:: 0.3
    """


@hookspec
def saferec_checkpoint_saved(event: CheckpointSaved) -> None:
    """Observe that a checkpoint was written.

    Called on the main process only. What is returned is ignored; a hook that fails is reported once and not
    called again in the run, which continues, unless ``--strict-plugins`` is given.

    .. versionadded:: 0.3
    """


@hookspec
def saferec_evaluation_finished(event: EvaluationFinished) -> None:
    """Observe that a policy was evaluated.

    Called on the main process only. What is returned is ignored; a hook that fails is reported once and not
    called again in the run, which continues, unless ``--strict-plugins`` is given.

    .. versionadded:: 0.3
    """


@hookspec
def saferec_run_finished(event: RunFinished) -> None:
    """Observe that a run is complete.

    Called on the main process only. What is returned is ignored; a hook that fails is reported once and not
    called again in the run, which continues, unless ``--strict-plugins`` is given.

    .. versionadded:: 0.3
    """
