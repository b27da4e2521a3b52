"""Faults of the policy that reinforcement learning starts from."""

from __future__ import annotations

from saferec_core.analysis.results import MetricFacts, results_of
from saferec_core.evaluation.evaluator import Evaluation
from saferec_core.plugins.build import build
from saferec_core.rl.rewards import ActiveReward
from saferec_core.training.start_check import faults_of_start


def lists(**samples):
    rows = [{} for _ in next(iter(samples.values()))]
    metrics = {name: MetricFacts("lower", "mean", "") for name in samples}
    return Evaluation(
        results_of(rows, samples, protocol={"id": "any"}, policy="", data_sha256="", metrics=metrics)
    )


def count_to(plugins, target):
    return [ActiveReward("count", build(plugins.rewards.get("count"), {"target": target}), 1.0)]


def test_repeats_seen_titles_and_a_length_off_the_target_are_told_with_their_figures(plugins):
    sampled = lists(duplicates=[0, 0], seen=[0, 0], list_length=[5, 5])
    greedy = lists(duplicates=[1, 0], seen=[0.5, 0], list_length=[4, 3])

    faults = list(faults_of_start([sampled, greedy], ["sampled", "greedy"], count_to(plugins, 5)))

    assert len(faults) == 1
    assert "greedy lists repeat a title 0.50 times a list" in faults[0]
    assert "name a seen title 0.25 times a list" in faults[0]
    assert "have 3.50 titles, but 5 are wanted" in faults[0]
    assert "longer Safe SFT" in faults[0]


def test_a_start_within_the_thresholds_has_no_faults_and_no_target_is_no_fault(plugins):
    good = lists(duplicates=[0.1], seen=[0.05], list_length=[4.6])

    assert not list(faults_of_start([good], ["greedy"], count_to(plugins, 5)))
    assert not list(faults_of_start([lists(list_length=[2])], ["greedy"], []))
