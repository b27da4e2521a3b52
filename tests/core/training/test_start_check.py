"""Faults of the policy that reinforcement learning starts from."""

from __future__ import annotations

from saferec_core.analysis.results import results_of
from saferec_core.evaluation.evaluator import Evaluation
from saferec_core.plugins.build import build
from saferec_core.rl.rewards import ActiveReward
from saferec_core.training.start_check import faults_of_start


def lists(*lengths, repeated=(), seen=()):
    """Lists of so many titles, the first of them repeated or seen in the lists that are named."""
    rows = [
        {
            "titles": [
                {"title": f"T{k}", "repeated": k == 0 and n in repeated, "seen": k == 0 and n in seen}
                for k in range(length)
            ]
        }
        for n, length in enumerate(lengths)
    ]
    return Evaluation(results_of(rows, {}, protocol={"id": "any"}, policy="", data_sha256="", metrics={}))


def count_to(plugins, target):
    return [ActiveReward("count", build(plugins.rewards.get("count"), {"target": target}), 1.0)]


def test_repeats_seen_titles_and_a_length_off_the_target_are_reported_with_their_figures(plugins):
    sampled = lists(5, 5)
    greedy = lists(4, 3, 4, 3, repeated={0, 1}, seen={2})

    faults = list(faults_of_start([sampled, greedy], ["sampled", "greedy"], count_to(plugins, 5)))

    assert len(faults) == 1
    assert "greedy lists repeat a title 0.50 times per list" in faults[0]
    assert "name a seen title 0.25 times per list" in faults[0]
    assert "have 3.50 titles, but 5 are wanted" in faults[0]
    assert "longer Safe SFT" in faults[0]


def test_a_start_within_the_thresholds_has_no_faults_and_no_target_is_no_fault(plugins):
    good = lists(5, 5, 5, 5, 5, 4, 5, 4, 5, 4, repeated={0}, seen={1})  # 0.1 of each, 4.7 titles

    assert not list(faults_of_start([good], ["greedy"], count_to(plugins, 5)))
    assert not list(faults_of_start([lists(2)], ["greedy"], []))
