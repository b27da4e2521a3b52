"""What a comparison says in one sentence."""

from saferec_core.analysis.compare import compare
from saferec_core.analysis.outcome import outcome
from saferec_core.analysis.results import MetricFacts, results_of

FACTS = {
    "recall@5": MetricFacts("higher", "mean", "", role="relevance", primary=True),
    "ndcg@5": MetricFacts("higher", "mean", "", label="NDCG", role="relevance"),
    "any_violation@5": MetricFacts("lower", "share", "", role="safety"),
    "duplicates": MetricFacts("lower", "mean", "", role="list"),
    "list_length": MetricFacts("none", "mean", "", role="list"),
    "seen": MetricFacts("lower", "mean", "", label="Seen titles", role="list"),
    "out_of_catalog": MetricFacts("lower", "mean", "", role="list"),
}


def evaluation(**values):
    columns = {name: values[name.partition("@")[0]] for name in FACTS}
    rows = [{"record": n, "sample": 0, "user": f"user {n}"} for n in range(40)]
    return results_of(rows, columns, protocol={"id": "p"}, policy="", data_sha256="0" * 64, metrics=FACTS)


def test_what_got_worse_stands_beside_what_got_better_and_what_cannot_be_claimed():
    flat, noise = [0.5] * 40, [0.1, -0.1] * 20
    before = dict.fromkeys(("recall", "ndcg", "any_violation", "duplicates", "list_length"), flat)
    before["out_of_catalog"] = noise
    before["seen"] = [float("nan")] * 40
    after = {**before, "recall": [0.9] * 40, "ndcg": [0.9] * 40, "duplicates": [2.5] * 40}
    after |= {"list_length": [0.25] * 40, "out_of_catalog": noise[::-1]}
    claims = outcome(compare(evaluation(**before), evaluation(**after)))

    assert (claims.better, claims.worse, claims.lower) == (["Recall@5"], ["Duplicates"], ["List length"])
    assert claims.unchanged == ["Any violation@5"]
    assert claims.sentence == (
        "Better: Recall@5. Worse: Duplicates. Lower: List length. "
        "No difference can be claimed in Out of catalog. Not comparable: Seen titles."
    )
