"""Limits: what can be limited, how multipliers move, and what is said at the end."""

from __future__ import annotations

import json

import pytest
import torch

from saferec_core.config.limits import Limit
from saferec_core.config.sections import LimitsConfig
from saferec_core.data.catalog import Catalog
from saferec_core.data.records import Record
from saferec_core.data.titles import Title
from saferec_core.errors import ConfigError, SaferecError
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.contracts.normalizer import Advantages
from saferec_core.plugins.contracts.oracle import Oracle
from saferec_core.plugins.contracts.verdict import Verdict
from saferec_core.rl.limits import Limits, limits_of
from saferec_core.testing import StatedOracle, listing

FILMS = [Title("Saw", 2004), Title("Up", 2009), Title("Heat", 1995), Title("Coco", 2017)]
ORACLE = StatedOracle({"Saw": ["gore"], "Heat": ["guns"], "Up": []}, traits=["gore", "guns"])
JUDGE = Judge(Catalog(FILMS), ORACLE)


def judged(*lists, constraints):
    records = [Record(prompt=[], constraints=each) for each in constraints]
    return JudgedLists([listing(titles) for titles in lists], records, JUDGE, 3)


def limits(*texts, **settings):
    return Limits(limits_of(texts, JUDGE), LimitsConfig(limit=list(texts), **settings))


ABSENT = 9


def test_a_limit_counts_ranks_among_those_written():
    saw, up, heat, coco = FILMS
    lists = judged([saw, up, up], [coco, heat], constraints=[("gore",), ("guns",)])
    texts = ["violation_rate<=.1", "wasted<=.1", "unknown<=.1", "violation_rate[guns]<=.1"]

    counted = limits(*texts).ranks(lists).counted

    assert counted.nan_to_num(ABSENT).tolist() == [
        [[1, 0, 0], [0, 1, ABSENT]],  # Saw for gore, Heat for guns
        [[0, 0, 1], [0, 0, ABSENT]],  # the second Up
        [[0, 0, 0], [1, 0, ABSENT]],  # nobody knows Coco
        [[ABSENT] * 3, [0, 1, ABSENT]],  # only the user with the trait
    ]


def test_wasted_ranks_and_what_nobody_knows_pay_the_average_of_a_limit_that_does_not_count_them():
    saw, up, heat, coco = FILMS
    lists = judged([saw, up, up], [coco, heat], constraints=[("gore",), ("guns",)])
    texts = ["violation_rate<=.1", "wasted<=.1", "unknown<=.1", "violation_rate[guns]<=.1"]

    prices = limits(*texts).ranks(lists).prices

    assert prices.nan_to_num(ABSENT).tolist() == [
        [[-1, 0, ABSENT], [ABSENT, -1, ABSENT]],  # Saw, Up, Up again; nobody knows Coco; Heat
        [[0, 0, -1], [0, 0, ABSENT]],
        [[0, 0, ABSENT], [-1, 0, ABSENT]],
        [[ABSENT] * 3, [ABSENT, -1, ABSENT]],
    ]


def test_a_title_that_nobody_knows_is_charged_exactly_nothing_whatever_the_multiplier():
    saw, up, _, coco = FILMS
    lists = judged([coco], [saw], [up], [up], constraints=[("gore",)] * 4)
    some = limits("violation_rate<=.1")
    some.controllers[0].multiplier = 6.0

    ranks = some.ranks(lists)
    charged = some.charge(Advantages(torch.zeros(4, 3), torch.zeros(4)), ranks.prices, lists.rank_mask)

    # Of the three that are known one violates: 6 * (-1 + 1/3) and 6 * (0 + 1/3)
    assert charged.rank[:, 0].tolist() == pytest.approx([0, -4, 2, 2])


class OpenOracle(Oracle):
    """Heat violates guns; of its gore nothing is known, or it is left open."""

    traits = frozenset({"gore", "guns"})

    def judge(self, questions):
        risks = [{"guns": 0.9}, {"guns": 0.9, "gore": 0.5}]
        return [
            Verdict(
                True, risks[question.name == "Heat"], ("guns",), ("gore",) if question.name == "Heat" else ()
            )
            for question in questions
        ]


def test_a_title_pays_the_average_for_a_trait_that_is_open_though_another_one_is_violated():
    saw, _, heat, _ = FILMS
    record = Record(prompt=[], constraints=("gore", "guns"))
    lists = JudgedLists([listing([saw, heat])], [record], Judge(Catalog(FILMS), OpenOracle()), 2)

    counted, prices = limits("violation_rate[gore]<=.1", "violation_rate[guns]<=.1").ranks(lists)

    assert counted.tolist() == [[[0, 0]], [[1, 1]]]
    assert prices.nan_to_num(ABSENT).tolist() == [[[ABSENT, ABSENT]], [[-1, -1]]]


def test_what_nobody_knows_is_safe_to_a_user_without_constraints():
    coco = FILMS[3]
    lists = judged([coco], [coco], constraints=[(), ("gore",)])

    some = limits("violation_rate<=.1")
    prices = some.ranks(lists).prices

    assert lists.undecided[:, 0].tolist() == [False, True]
    assert prices[0, :, 0].nan_to_num(ABSENT).tolist() == [0, ABSENT]


def follow(some, share, times=1):
    for _ in range(times):
        some.follow(torch.tensor([[[share]]]))
    return some.figures()[f"multiplier/{some.limits[0].name}"]


def test_a_multiplier_rises_by_the_relative_excess_and_falls_below_the_bound_and_never_under_zero():
    some = limits("wasted<=0.25", limit_rate=2.0, limit_margin=0.0)

    assert follow(some, 0.5) == pytest.approx(2 * 1.0)  # 0.5 is 100 % above the bound
    assert follow(some, 0.5) == pytest.approx(4 * 1.0)
    assert follow(some, 0.0) == pytest.approx(4 + 2 * 0.8)  # smoothed: 0.9 * 0.5, 80 % above it
    assert some.figures()["limited/wasted"] == pytest.approx(0.45)
    assert follow(some, 0.0, times=100) == 0


def test_small_and_large_bounds_are_pursued_alike():
    small, large = (limits(f"wasted<={bound}", limit_proportional=0.5) for bound in (0.01, 0.2))

    for times in (1, 5):
        assert follow(small, 0.03, times) == pytest.approx(follow(large, 0.6, times))  # three times the bound


def test_a_multiplier_aims_below_its_bound_by_the_margin():
    some = limits("wasted<=0.1", limit_rate=1.0, limit_margin=0.2)

    assert follow(some, 0.1) == pytest.approx(0.2)  # at the bound it still rises
    some.load_state_dict({})
    assert follow(some, 0.08) == pytest.approx(0.0)  # at the target it stands


def test_a_multiplier_is_bounded_and_does_not_wind_up_beyond_the_bound():
    some = limits("wasted<=0", limit_rate=5.0, limit_max=3.0)

    assert follow(some, 1.0, times=50) == 3
    assert follow(some, 0.0, times=60) == 3  # the bound of 0 is never undercut, so nothing falls

    falling = limits("wasted<=0.5", limit_rate=2.5, limit_max=3.0)
    follow(falling, 1.0, times=50)
    assert follow(falling, 0.0, times=12) < 3


def test_proportional_and_derivative_terms_act_at_once():
    plain, damped = (
        limits("wasted<=0.5", limit_margin=0.0, limit_proportional=p, limit_derivative=d)
        for p, d in ((0.0, 0.0), (1.0, 5.0))
    )
    for some in (plain, damped):
        follow(some, 0.0)
        follow(some, 1.0)  # smoothed 0.1: 80 % below the bound, but rising by 20 % of it

    # The excess of -0.8 once and the rise of 0.2 five times: -0.8 + 1
    assert plain.figures()["multiplier/wasted"] == 0
    assert damped.figures()["multiplier/wasted"] == pytest.approx(0.2)


def test_what_is_charged_is_the_multiplier_that_stands_whatever_the_normalizer_did():
    some = limits("wasted<=0.1")
    prices = torch.tensor([[[-1.0], [0.0], [0.0], [0.0]]])
    mask = torch.ones(4, 1).bool()
    before = Advantages(rank=torch.tensor([[0.5], [0.5], [-0.5], [-0.5]]), list=torch.zeros(4))

    assert torch.equal(some.charge(before, prices, mask).rank, before.rank)  # multiplier 0
    some.controllers[0].multiplier = 4.0
    assert some.charge(before, prices, mask).rank[:, 0].tolist() == [0.5 - 3, 1.5, 0.5, 0.5]


def test_a_batch_in_which_a_limit_is_about_nobody_leaves_its_multiplier_alone():
    some = limits("violation_rate[guns]<=0.1")
    some.controllers[0].multiplier = 1.5

    some.follow(torch.full((1, 2, 3), torch.nan))

    assert some.figures() == {"multiplier/violation_rate[guns]": 1.5}


def test_a_checkpoint_holds_the_multipliers_and_survives_json():
    first, again = limits("wasted<=0.1"), limits("wasted<=0.1", "seen<=0.2")
    for _ in range(12):
        first.follow(torch.tensor([[[1.0, 0.0]]]))

    again.load_state_dict(json.loads(json.dumps(first.state_dict())))

    assert again.figures()["multiplier/wasted"] == first.figures()["multiplier/wasted"] > 0
    assert again.figures()["multiplier/seen"] == 0


def test_the_end_says_what_was_kept_and_of_what_was_not_the_best_that_was_reached():
    some = limits("wasted<=0.6", "seen<=0.1")
    for share in (0.3, 0.5):
        for _ in range(30):
            some.follow(torch.tensor([[[share]], [[share]]]))

    kept, missed = some.verdicts()
    assert (kept.kept, missed.kept) == (True, False)
    assert kept.sentence.startswith("The limit wasted <= 0.6 was kept: 0.492")
    assert missed.sentence.startswith(
        "The limit seen <= 0.1 was not kept: 0.492 at the end of training; the low"
    )
    assert "the lowest was 0.3" in missed.sentence
    assert "raise limit_rate" in missed.sentence


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("violations<=0.1", r"unknown share to limit 'violations'.*Did you mean 'violation_rate'"),
        ("out-of-catalog<=0.1", r"'out-of-catalog'.*Did you mean 'out_of_catalog'"),
        ("wasted<=1.5", r"lies in 0\.\.1, but the bound is 1\.5"),
        ("wasted<=-0.1", r"lies in 0\.\.1, but the bound is -0\.1"),
        ("wasted>=0.1", "cannot be read; write it as"),
        ("wasted[gore]<=0.1", "only violation_rate can be limited for a trait"),
        ("violation_rate[gor]<=0.1", r"unknown trait 'gor'.*Did you mean 'gore'"),
    ],
    ids=["share", "hyphens", "above one", "negative", "sign", "trait of another share", "trait"],
)
def test_a_limit_that_cannot_be_meant_is_refused(text, message):
    with pytest.raises(SaferecError, match=message):
        limits_of([text], JUDGE)


def test_a_limit_on_violations_without_an_oracle_or_two_on_one_share_are_refused():
    with pytest.raises(ConfigError, match="needs an oracle; name its table with --oracle-path"):
        limits_of(["violation_rate<=0.1"], Judge(Catalog(FILMS)))
    with pytest.raises(ConfigError, match="wasted has two limits"):
        limits_of(["wasted<=0.1", "wasted<=0.2"], JUDGE)
    assert limits_of(["wasted <= .1"], Judge(Catalog(FILMS))) == [Limit("wasted", 0.1)]


def test_the_end_says_of_which_limit_no_list_was_written():
    some = limits("violation_rate[gore]<=0.01")

    [verdict] = some.verdicts()
    assert verdict.sentence.startswith("The limit violation_rate[gore] <= 0.01 never applied: no list")
