"""Which rows belong together, and which evaluations do not."""

import math

import numpy as np
import pytest

from saferec_core.analysis.pairing import mismatches, pair
from saferec_core.analysis.results import MetricFacts, results_of
from saferec_core.errors import ConfigError, DataError, UnknownNameError

PROTOCOL = {"id": "p", "seen": "miss", "decoding": {"kind": "greedy", "samples": 1}}
SAMPLED = {"id": "q", "seen": "miss", "decoding": {"kind": "sampled", "samples": 2}}


def evaluation(values, *, metric="recall@10", protocol=PROTOCOL, sha="a" * 64, traits=("gore",)):
    """Make an evaluation of values by (record, sample)."""
    rows = [
        {"record": record, "sample": sample, "user": f"user {record}", "constraints": list(traits)}
        for record, sample in values
    ]
    facts = {metric: MetricFacts("higher", "mean", "")}
    return results_of(
        rows, {metric: list(values.values())}, protocol=protocol, policy="", data_sha256=sha, metrics=facts
    )


def test_rows_belong_together_by_record_and_sample_in_any_order():
    pairs = pair(evaluation({(0, 0): 1, (7, 0): 2}), evaluation({(7, 0): 20, (0, 0): 10}))

    assert pairs.first.ravel().tolist() == [1, 2]
    assert pairs.second.ravel().tolist() == [10, 20]
    assert pairs.by == "record and sample"
    assert pairs.remarks == []


def test_samples_are_averaged_by_record_where_their_numbers_differ():
    greedy = evaluation({(0, 0): 1, (1, 0): 2})
    sampled = evaluation({(0, 0): 4, (0, 1): 6, (1, 0): math.nan, (1, 1): 8}, protocol=SAMPLED)
    pairs = pair(greedy, sampled, force=True)

    assert pairs.second.ravel().tolist() == [5, 8]
    assert pairs.by == "record"
    assert len(np.unique(pairs.users)) == 2


def test_other_protocols_are_refused_with_each_field_that_differs():
    with pytest.raises(ConfigError) as refusal:
        pair(evaluation({(0, 0): 1}), evaluation({(0, 0): 1}, protocol=SAMPLED), names=("base", "tuned"))

    assert "decoding.kind: greedy in base, sampled in tuned" in str(refusal.value)
    assert "decoding.samples: 1 in base, 2 in tuned" in str(refusal.value)
    assert "seen" not in str(refusal.value)
    assert "--force" in str(refusal.value)


def test_other_data_are_refused_with_their_hashes():
    with pytest.raises(DataError, match=r"\(SHA-256\): aaaaaaaaaaaa in A, bbbbbbbbbbbb in B"):
        pair(evaluation({(0, 0): 1}), evaluation({(0, 0): 1}, sha="b" * 64))


def test_missing_rows_are_refused_with_their_numbers():
    whole = evaluation({(0, 0): 1, (1, 0): 2, (2, 0): 3})

    with pytest.raises(DataError, match="rows: 3 in A and 2 in B, 2 of them in both"):
        pair(whole, evaluation({(0, 0): 1, (1, 0): 2}))


def test_forced_pairs_are_those_that_both_have_and_the_differences_are_remarks():
    whole = evaluation({(0, 0): 1, (1, 0): 2, (2, 0): 3})
    pairs = pair(whole, evaluation({(1, 0): 5, (9, 0): 6}, protocol={**PROTOCOL, "seen": "drop"}), force=True)

    assert pairs.first.ravel().tolist() == [2]
    assert pairs.second.ravel().tolist() == [5]
    assert pairs.remarks == [
        "differs: seen: miss in A, drop in B",
        "differs: rows: 3 in A and 2 in B, 1 of them in both",
    ]


def test_a_trait_counts_where_it_is_active_in_both():
    first = evaluation({(0, 0): 1}, traits=("gore", "war"))

    assert pair(first, evaluation({(0, 0): 1}, traits=("war",))).constraints == [frozenset({"war"})]


@pytest.mark.parametrize(
    ("second", "complaint"),
    [
        (evaluation({}), "B holds no rows; evaluate again"),
        (evaluation({(5, 0): 1}), "no row in common"),
        (evaluation({(0, 0): 1}, metric="ndcg@10"), "no metric in common"),
    ],
)
def test_what_cannot_be_paired_is_refused_even_if_forced(second, complaint):
    with pytest.raises(DataError, match=complaint):
        pair(evaluation({(0, 0): 1}), second, force=True)


def test_a_row_that_occurs_twice_is_damage():
    one = evaluation({(3, 0): 1})
    rows = [{"record": 3, "sample": 0, "user": "a"}] * 2
    twice = results_of(
        rows, {"recall@10": [1, 2]}, protocol=PROTOCOL, policy="", data_sha256="a" * 64, metrics=one.metrics
    )

    with pytest.raises(DataError, match="B holds record 3, sample 0 more than once"):
        pair(one, twice)


def test_an_unknown_metric_is_named_with_near_misses():
    with pytest.raises(UnknownNameError, match=r"unknown metric 'recal@10'. Did you mean 'recall@10'"):
        pair(evaluation({(0, 0): 1}), evaluation({(0, 0): 1}), metrics=["recal@10"])


def test_protocols_that_differ_in_their_id_alone_say_so():
    assert mismatches({"id": "x", "seen": 1}, {"id": "y", "seen": 1}) == ["id: x in A, y in B"]
    assert mismatches(PROTOCOL, PROTOCOL) == []
    assert mismatches({"id": "x"}, {"id": "y", "seen": "miss"}) == ["seen: not stated in A, miss in B"]
