"""``saferec gate``."""

import json
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from saferec_core.analysis.results import MetricFacts, results_of

FACTS = {
    "recall@10": MetricFacts("higher", "mean", ""),
    "any_violation@10": MetricFacts("lower", "share", ""),
}
NOISE = np.random.default_rng(0).normal(size=200) * 0.02


@pytest.fixture
def evaluated(tmp_path):
    """Write an evaluation of 200 users."""

    def write(name, recall, violations):
        rows = [{"record": n, "sample": 0, "user": f"user {n}"} for n in range(200)]
        values = {"recall@10": recall, "any_violation@10": [1.0] * violations + [0.0] * (200 - violations)}
        results_of(
            rows,
            values,
            protocol={"id": "p-greedy"},
            policy="tuned-model",
            data_sha256="0" * 64,
            metrics=FACTS,
        ).write(tmp_path / name)

    return write


@pytest.fixture(autouse=True)
def run(evaluated):
    """A run with a recall of 0.1 and one violation."""
    evaluated("run/evaluation/before-greedy.parquet", NOISE + 0.08, 40)
    evaluated("run/evaluation/after-greedy.parquet", NOISE[::-1] + 0.1, 1)


VIOLATIONS, RECALL = ("--max", "any_violation@10<=0.05"), ("--min", "recall@10>=0.06")


def test_the_exit_status_is_0_if_every_claim_holds(main):
    done = main("gate", "run", *VIOLATIONS, *RECALL, "--confidence", "0.95")

    assert done.status == 0, done.err
    assert "All claims hold." in done.out
    assert "any_violation@10 is 0.005, at most 0.022 with 95% confidence." in done.out
    assert "Claims about tuned-model" in done.out
    assert "200 rows" in done.out


def test_the_exit_status_is_1_if_one_claim_does_not(main):
    done = main("gate", "run", *VIOLATIONS, "--min", "recall@10>=0.2")

    assert done.status == 1
    assert "1 of 2 claims hold." in done.out
    assert "below the limit 0.2" in done.out
    assert done.err == ""


def test_a_value_within_the_limit_does_not_do_if_its_bound_is_not(main):
    done = main("gate", "run", "--max", "any_violation@10<=0.01")

    assert done.status == 1
    assert "not shown" in done.out
    assert "too few for this claim whatever they show, it takes 268 at least" in done.out  # 2.7055 * 99


def test_other_evaluations_can_be_chosen(main):
    assert main("gate", "run", *VIOLATIONS, "--when", "before").status == 1


def test_json_has_every_figure_and_the_same_exit_status(main):
    done = main("gate", "run", *VIOLATIONS, "--min", "recall@10>=0.2", "--json")

    data = json.loads(done.out)
    assert done.status == 1
    assert (data["holds"], data["policy"], data["protocol"]) == (False, "tuned-model", "p-greedy")
    assert data["file"] == "run/evaluation/after-greedy.parquet"
    assert [(row["claim"], row["holds"]) for row in data["claims"]] == [
        ("any_violation@10<=0.05", True),
        ("recall@10>=0.2", False),
    ]


def test_junit_is_written_whether_the_claims_hold_or_not(main, tmp_path):
    done = main("gate", "run", *VIOLATIONS, "--min", "recall@10>=0.2", "--junit", "reports/gate.xml")

    root = ET.parse(tmp_path / "reports" / "gate.xml").getroot()  # noqa: S314 - written above
    suite = root.find("testsuite")
    assert done.status == 1
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    good, bad = suite.findall("testcase")
    assert good.find("failure") is None
    assert bad.get("name") == "recall@10>=0.2"
    assert "below the limit 0.2" in bad.find("failure").get("message")


def test_a_run_is_held_against_a_baseline(main, evaluated):
    evaluated("base/evaluation/after-greedy.parquet", NOISE[::-1] + 0.1 + NOISE / 10, 1)

    claim = ("--min", "recall@10>=baseline-0.005", "--baseline")
    assert main("gate", "run", *claim, "base").status == 0
    assert main("gate", "run", *claim, "run/evaluation/before-greedy.parquet").status == 0
    assert main("gate", "base", "--min", "recall@10>=baseline+0.1", "--baseline", "run").status == 1


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("run",), "a gate needs at least one claim"),
        (("run", "--max", "any_violation@10>=0.05"), "--max goes with <="),
        (("run", "--min", "recall@10"), "is not a valid claim; expected METRIC>=NUMBER"),
        (("run", "--min", "recal@10>=0"), "Did you mean 'recall@10'?"),
        (("run", "--min", "recall@10>=baseline"), "name its run with --baseline"),
        (("x", "--min", "recall@10>=baseline", "--baseline", "y"), "2 problems\n  x does not exist"),
        (("run", "--min", "recall@10>=baseline", "--baseline", "run"), "would be compared with itself"),
        (("run", *RECALL, "--confidence", "95"), "confidence must lie between 0.5 and 1"),
        (("run", *RECALL, "--decoding", "sampled"), "Available: after-greedy, before-greedy"),
        (("elsewhere", *RECALL), "elsewhere does not exist"),
        (("run", *RECALL, "--junit", "run"), "run cannot be written"),
    ],
)
def test_a_mistake_is_one_message_and_exit_status_2(main, arguments, complaint):
    done = main("gate", *arguments)

    assert done.status == 2
    assert complaint in done.err
    assert done.err.startswith("error: ")


def test_a_damaged_file_passes_no_gate(main, tmp_path):
    (tmp_path / "run" / "evaluation" / "after-greedy.parquet").write_bytes(b"PAR1")
    done = main("gate", "run", *RECALL)

    assert done.status == 2
    assert "does not hold a readable evaluation" in done.err
