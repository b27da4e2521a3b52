"""``saferec compare``."""

import json

import numpy as np
import pytest

from saferec_core.analysis.results import MetricFacts, results_of

FACTS = {
    "any_violation@10": MetricFacts("lower", "share", "", "Any violation", "share of lists", "safety"),
    "recall@10": MetricFacts("higher", "mean", "", "Recall", "", "relevance"),
}
NOISE = np.random.default_rng(0).normal(size=(3, 60)) * 0.05


@pytest.fixture
def evaluated(tmp_path):
    """Write an evaluation of 60 users; every second one must not be shown gore, three no war."""

    def write(name, recall, *, protocol=None, sha="a" * 64):
        traits = [[*["gore"] * (n % 2), *["war"] * (n < 3)] for n in range(len(recall))]
        rows = [
            {"record": n, "sample": 0, "user": f"user {n}", "constraints": active}
            for n, active in enumerate(traits)
        ]
        values = {"recall@10": recall, "any_violation@10": [float(n % 10 == 0) for n in range(len(recall))]}
        results = results_of(
            rows,
            values,
            protocol=protocol or {"id": "p", "num_ranks": 20},
            policy=name,
            data_sha256=sha,
            metrics=FACTS,
        )
        results.write(tmp_path / name)
        return tmp_path / name

    return write


@pytest.fixture
def runs(evaluated):
    """Two runs of which the second recalls more."""
    evaluated("base/evaluation/before-greedy.parquet", NOISE[0] + 0.1)
    evaluated("base/evaluation/after-greedy.parquet", NOISE[1] + 0.2)
    evaluated("tuned/evaluation/after-greedy.parquet", NOISE[2] + 0.3)


def test_two_runs_are_compared_in_one_table_relevance_first_with_what_may_be_claimed(main, runs):
    done = main("compare", "base", "tuned")
    lines = [line.split() for line in done.out.splitlines()]
    (recall, violation, *_) = [line for line in lines if line[1:2] and line[1][0] in "↑v"]

    assert done.status == 0, done.err
    assert "60 pairs of 60 users" in done.out
    assert done.out.count("verdict") == 1
    assert (recall[0], recall[-2:]) == ("Recall@10", ["<0.001", "better"])
    assert violation[:5] == ["Any", "violation@10", "↓*", "10%", "10%"]
    assert "Better: Recall@10." in done.out
    assert "95% interval (BCa bootstrap over users, 10,000 resamples), not corrected" in done.out
    assert "*: primary metric." in done.out
    assert "Any violation@10, which is tested on its own" in done.out


def test_one_run_is_compared_before_and_after(main, runs):
    done = main("compare", "base", "--json")

    data = json.loads(done.out)
    assert [row["file"] for row in data["evaluations"]] == [
        f"base/evaluation/{when}-greedy.parquet" for when in ("before", "after")
    ]
    assert (data["first"], data["second"]) == ("before", "after")
    assert data["groups"][0]["metrics"]["recall@10"]["verdict"] == "better"


def test_traits_have_rows_and_those_of_few_users_none(main, runs):
    done = main("compare", "base", "tuned")

    assert "Recall@10 by constraint" in done.out
    assert "gore (30)" in done.out
    assert "Not shown, fewer than 10 users: war." in done.out
    assert "constraint" not in main("compare", "base", "tuned", "--no-trait-table").out


def test_metrics_and_confidence_can_be_chosen(main, runs):
    done = main("compare", "base", "tuned", "--metric", "recall@10", "--confidence", "0.9", "--json")

    data = json.loads(done.out)
    assert data["confidence"] == 0.9
    assert list(data["groups"][0]["metrics"]) == ["recall@10"]


def test_other_evaluations_of_the_runs_can_be_chosen(main, runs):
    done = main("compare", "base", "tuned", "--when", "before")

    assert done.status == 2
    assert "tuned holds no evaluation before-greedy. Available: after-greedy." in done.err


def test_a_narrow_terminal_loses_no_digits(main, runs, monkeypatch):
    wide = main("compare", "base", "tuned", "--no-trait-table").out
    change = next(line for line in wide.splitlines() if line.startswith("Recall@10 ")).split()[4]
    monkeypatch.setattr(
        "saferec_cli.render_compare.Console", lambda: __import__("rich").console.Console(width=60)
    )

    narrow = main("compare", "base", "tuned", "--no-trait-table").out
    assert change in narrow
    assert "…" not in narrow


def test_runs_on_different_data_are_refused_with_the_difference(main, runs, evaluated):
    evaluated("other/evaluation/after-greedy.parquet", NOISE[0][:50], sha="b" * 64)
    done = main("compare", "base", "other")

    assert done.status == 2
    assert "held-out records (SHA-256): aaaaaaaaaaaa in base, bbbbbbbbbbbb in other" in done.err
    assert "rows: 60 in base and 50 in other" in done.err


def test_runs_of_different_protocols_are_compared_if_forced_with_a_note(main, runs, evaluated):
    evaluated("short/evaluation/after-greedy.parquet", NOISE[0], protocol={"id": "q", "num_ranks": 10})

    refused = main("compare", "base", "short")
    assert refused.status == 2
    assert "num_ranks: 20 in base, 10 in short" in refused.err
    forced = main("compare", "base", "short", "--force")
    assert forced.status == 0
    assert "Note: differs: num_ranks: 20 in base, 10 in short" in forced.out


def test_runs_of_the_same_name_are_told_apart_by_their_folders(main, evaluated):
    evaluated("x/run/evaluation/after-greedy.parquet", NOISE[0])
    evaluated("y/run/evaluation/after-greedy.parquet", NOISE[0])

    data = json.loads(main("compare", "x/run", "y/run", "--json").out)
    assert (data["first"], data["second"]) == ("x/run", "y/run")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("nowhere", "base"), "nowhere does not exist; expected a run folder"),
        (("nowhere", "gone"), "error: 2 problems\n  nowhere does not exist; expected a run folder"),
        (("nowhere", "gone"), "\n  gone does not exist; expected a run folder"),
        (("gone", "gone"), "error: gone does not exist; expected a run folder"),
        (("base", "--when", "after"), "but one run is named"),
        (("base", "--metric", "recal@10"), "unknown metric 'recal@10'. Did you mean 'recall@10'?"),
        (("base", "--primary", "recal@10"), "unknown metric 'recal@10'. Did you mean 'recall@10'?"),
        (("base", "--confidence", "95"), "confidence must lie between 0 and 1"),
        (("base", "--decoding", "gready"), "Did you mean 'greedy'?"),
        (("base/evaluation/after-greedy.parquet",), "is one evaluation; name a second one"),
    ],
)
def test_a_mistake_is_one_message_and_exit_status_2(main, runs, arguments, complaint):
    done = main("compare", *arguments)

    assert done.status == 2
    assert complaint in done.err
    assert done.err.startswith("error: ")


def test_a_damaged_file_is_named(main, runs, tmp_path):
    damaged = tmp_path / "tuned" / "evaluation" / "after-greedy.parquet"
    damaged.write_bytes(damaged.read_bytes()[:500])
    done = main("compare", "base", "tuned")

    assert done.status == 2
    assert "after-greedy.parquet does not hold a readable evaluation" in done.err


def test_comparing_does_without_torch(saferec, runs, tmp_path):
    (tmp_path / "torch.py").write_text("raise RuntimeError('torch was imported')", encoding="utf-8")
    done = saferec("compare", "base", "tuned", "--json", path=tmp_path)

    assert done.status == 0, done.err
