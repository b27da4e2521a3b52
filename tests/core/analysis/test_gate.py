"""Which claims an evaluation allows."""

import json
import math
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from saferec_core.analysis.gate import check_claims, read_claim
from saferec_core.analysis.junit import Case, write_junit
from saferec_core.analysis.results import MetricFacts, results_of
from saferec_core.errors import ConfigError, DataError, RunError, UnknownNameError

FACTS = {
    "recall@10": MetricFacts("higher", "mean", ""),
    "any_violation@10": MetricFacts("lower", "share", "", unit="share of lists"),
    "violations@10": MetricFacts("lower", "mean", "", unit="titles"),
}


def evaluation(users=None, protocol="p", **values):
    columns = {f"{name}@10": column for name, column in values.items()}
    number = len(next(iter(columns.values())))
    rows = [
        {"record": record, "sample": 0, "user": f"user {record if users is None else users[record]}"}
        for record in range(number)
    ]
    facts = {name: FACTS[name] for name in columns}
    return results_of(
        rows, columns, protocol={"id": protocol}, policy="", data_sha256="0" * 64, metrics=facts
    )


def violations(number, users):
    return evaluation(any_violation=[1.0] * number + [0.0] * (users - number))


def at_most(text, results, **options):
    (result,) = check_claims(results, [read_claim(text, "max")], **options)
    return result


def at_least(text, results, **options):
    (result,) = check_claims(results, [read_claim(text, "min")], **options)
    return result


NOISE = np.random.default_rng(0).normal(size=100) * 0.1


def test_a_claim_is_read():
    claim = read_claim(" any_violation@10 <= 5e-2 ", "max")

    assert (claim.metric, claim.limit, claim.relative) == ("any_violation@10", 0.05, False)


@pytest.mark.parametrize(
    ("text", "limit"), [("m>=baseline-0.005", -0.005), ("m >= baseline + .1", 0.1), ("m>=baseline", 0)]
)
def test_a_claim_may_be_relative_to_a_baseline(text, limit):
    claim = read_claim(text, "min")

    assert (claim.relative, claim.limit) == (True, limit)
    assert claim.subject == "m minus baseline"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "recall@10",
        "recall@10>=",
        "recall@10=0.1",
        "recall@10>=1.2.3",
        "recall@10>=much",
        ">=1",
        "m>=1e999",
    ],
)
def test_what_is_no_claim_is_shown_one(text):
    with pytest.raises(
        ConfigError, match=r"is not a valid claim; expected METRIC>=NUMBER such as 'recall@10>=0.06'"
    ):
        read_claim(text, "min")


def test_the_sign_must_go_with_the_option():
    with pytest.raises(ConfigError, match=r"--max goes with <=.*; for >= use --min"):
        read_claim("recall@10>=0.06", "max")
    with pytest.raises(ConfigError, match=r"--min goes with >=.*; for <= use --max"):
        read_claim("recall@10<=0.06", "min")


def test_a_share_is_held_by_its_one_sided_wilson_bound():
    # None of 60, z = 1.645: z^2 / (60 + z^2) = 2.7055 / 62.7055.
    result = at_most("any_violation@10<=0.05", violations(0, 60))

    assert result.holds
    assert (result.value, result.bound) == pytest.approx((0, 0.0431), abs=1e-4)
    assert result.sentence == "any_violation@10 is 0.000, at most 0.043 with 95% confidence"


def test_a_value_within_the_limit_is_not_enough():
    result = at_most("any_violation@10<=0.05", violations(4, 100))

    assert result.value == 0.04
    assert not result.holds
    assert result.verdict == "not shown"
    assert "is 0.040, but may be as high as 0.086 (95% confidence); about 2," in result.sentence
    assert "users would show it if the value stays (100 now)" in result.sentence


def test_the_users_that_are_said_to_be_needed_do_suffice():
    result = at_most("any_violation@10<=0.05", violations(4, 100))
    needed = int(result.sentence.split("about ")[1].split(" ")[0].replace(",", ""))

    assert at_most("any_violation@10<=0.05", violations(round(0.04 * needed), needed)).holds
    assert not at_most("any_violation@10<=0.05", violations(round(0.02 * needed), needed // 2)).holds


def test_a_value_beyond_the_limit_breaks_the_claim():
    result = at_most("any_violation@10<=0.05", violations(10, 100))

    assert result.verdict == "broken"
    assert result.sentence == "any_violation@10 is 0.100, above the limit 0.05"


def test_a_sample_that_can_never_allow_the_claim_is_told_how_large_it_must_be():
    result = at_most("any_violation@10<=0.05", violations(0, 20))

    assert not result.holds
    assert result.sentence.endswith(
        "20 users are too few for this claim whatever they show, it takes 52 at least"
    )
    assert at_most("any_violation@10<=0.05", violations(0, 52)).holds
    assert not at_most("any_violation@10<=0.05", violations(0, 51)).holds


def test_no_sample_shows_that_nothing_ever_happens():
    result = at_most("any_violation@10<=0", violations(0, 500))

    assert not result.holds
    assert result.sentence.endswith("no sample is large enough for this limit, which the bound never reaches")
    assert not at_least("any_violation@10>=1", violations(50, 50)).holds


def test_the_bound_lies_on_the_side_of_the_limit():
    results = evaluation(recall=NOISE + 0.5)
    below, above = at_least("recall@10>=0", results), at_most("recall@10<=1", results)

    assert below.bound < below.value < above.bound
    # 1.645 standard errors of 0.1 / sqrt(100)
    assert below.value - below.bound == pytest.approx(0.0165, abs=0.003)


def test_rows_of_one_user_do_not_make_a_claim_safer():
    values = np.repeat(NOISE[:20] + 0.1, 10)
    few = at_least("recall@10>=0.07", evaluation(users=np.repeat(np.arange(20), 10), recall=values))
    many = at_least("recall@10>=0.07", evaluation(recall=values))

    assert few.value == pytest.approx(many.value)
    assert few.bound < many.bound


def test_fewer_than_ten_users_allow_no_claim_by_bootstrap():
    result = at_least("recall@10>=0", evaluation(recall=[0.5, 0.6] * 4))

    assert not result.holds
    assert result.verdict == "not shown"
    assert "only 8 users have a value; a bootstrap of fewer than 10 is not relied on" in result.sentence


@pytest.mark.parametrize("text", ["violations@10<=0.05", "violations@10<=1"])
def test_a_count_of_nothing_in_every_list_bounds_no_mean(text):
    # Of 400 lists without a violation Wilson's bound is 0.7 % of lists; but each of those may have ten.
    result = at_most(text, evaluation(violations=[0.0] * 400))

    assert (result.verdict, result.interval) == ("not shown", "none")
    assert "claim a share instead" in result.sentence


def test_a_limit_that_no_share_can_miss_is_refused():
    for text in ("any_violation@10<=5", "any_violation@10<=-0.1"):
        with pytest.raises(ConfigError, match=r"is a share in 0\.\.1, of which 5% is written 0\.05"):
            at_most(text, violations(0, 100))
    with pytest.raises(ConfigError, match="is a share"):
        at_most("any_violation@10<=baseline+5", violations(0, 100), baseline=violations(0, 100))


def test_claims_that_cannot_both_hold_are_refused():
    claims = [read_claim("any_violation@10<=0.05", "max"), read_claim("any_violation@10>=0.5", "min")]
    with pytest.raises(ConfigError, match=r"'any_violation@10<=0.05' and '.*>=0.5' cannot both hold"):
        check_claims(violations(0, 100), claims)


def test_a_metric_without_a_value_allows_no_claim():
    result = at_least("recall@10>=0", evaluation(recall=[math.nan] * 20))

    assert not result.holds
    assert result.verdict == "not shown"
    assert result.sentence == "no row has a value of recall@10, so that nothing can be claimed of it"
    assert result.as_data()["value"] is None


def test_a_claim_against_a_baseline_is_held_by_the_paired_difference():
    level = np.linspace(0, 1, 100)  # which the pairs have in common
    baseline, run = evaluation(recall=level), evaluation(recall=level - 0.002 + NOISE / 100)

    kept = at_least("recall@10>=baseline-0.005", run, baseline=baseline)
    assert kept.holds
    assert kept.value == pytest.approx(-0.002, abs=0.0003)
    assert kept.sentence.startswith("recall@10 minus baseline is -0.00")
    assert at_least("recall@10>=baseline-0.001", run, baseline=baseline).verdict == "broken"


def test_a_baseline_of_another_protocol_is_refused():
    with pytest.raises(ConfigError, match="id: p in the baseline, q in the run"):
        at_least(
            "recall@10>=baseline", evaluation(recall=NOISE, protocol="q"), baseline=evaluation(recall=NOISE)
        )


def test_a_baseline_and_a_claim_about_it_need_each_other():
    results = evaluation(recall=NOISE)

    with pytest.raises(ConfigError, match="name its run with --baseline"):
        at_least("recall@10>=baseline", results)
    with pytest.raises(ConfigError, match="no claim compares with it"):
        at_least("recall@10>=0", results, baseline=results)


def test_an_unknown_metric_is_named_with_near_misses():
    with pytest.raises(UnknownNameError, match=r"unknown metric 'recal@10'. Did you mean 'recall@10'"):
        at_least("recal@10>=0", evaluation(recall=NOISE))


def test_nothing_is_claimed_of_no_rows():
    with pytest.raises(DataError, match="holds no rows"):
        at_least("recall@10>=0", evaluation(recall=[]))
    with pytest.raises(ConfigError, match="at least one claim"):
        check_claims(evaluation(recall=NOISE), [])


@pytest.mark.parametrize("confidence", [0.5, 1, 95])
def test_a_confidence_lies_between_a_half_and_1(confidence):
    with pytest.raises(ConfigError, match=r"confidence must lie between 0.5 and 1, such as 0.95"):
        at_least("recall@10>=0", evaluation(recall=NOISE), confidence=confidence)


def test_more_confidence_asks_for_more():
    results = evaluation(recall=NOISE + 0.1)
    bounds = [at_least("recall@10>=0", results, confidence=level).bound for level in (0.9, 0.95, 0.99)]

    assert bounds == sorted(bounds, reverse=True)


def test_results_are_in_the_order_of_the_claims_and_plain_data():
    results = evaluation(recall=NOISE + 0.5, any_violation=[0.0] * 100)
    claims = [read_claim("recall@10>=0.4", "min"), read_claim("any_violation@10<=0.001", "max")]
    data = json.loads(
        json.dumps([result.as_data() for result in check_claims(results, claims)], allow_nan=False)
    )

    assert [(row["metric"], row["verdict"], row["interval"]) for row in data] == [
        ("recall@10", "holds", "bootstrap"),
        ("any_violation@10", "not shown", "wilson"),
    ]


def test_junit_has_a_case_for_each_claim(tmp_path):
    cases = [Case("m<=0.05", True, "fine"), Case("n>=<1> & \x00 ü", False, 'is "2" & <low>\x1b')]
    write_junit(tmp_path / "reports" / "gate.xml", "saferec gate", "runs/a", cases)

    root = ET.parse(tmp_path / "reports" / "gate.xml").getroot()  # noqa: S314 - written above
    suite = root.find("testsuite")
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    good, bad = suite.findall("testcase")
    assert (good.get("name"), good.get("classname"), good.find("failure")) == ("m<=0.05", "runs/a", None)
    assert bad.get("name") == "n>=<1> &  ü"
    assert bad.find("failure").get("message") == 'is "2" & <low>'


def test_a_report_that_cannot_be_written_says_why(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(RunError, match=r"gate.xml cannot be written"):
        write_junit(tmp_path / "file" / "gate.xml", "saferec gate", "run", [])
