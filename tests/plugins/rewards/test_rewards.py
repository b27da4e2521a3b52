"""The built-in rewards, asked about lists that the built-in parser and oracle have read."""

import json
import math

import pytest
import torch

from saferec_core.data.catalog import Catalog, CatalogMatch
from saferec_core.data.records import Record
from saferec_core.data.titles import Title
from saferec_core.errors import ConfigError
from saferec_core.evaluation.measure import measure
from saferec_core.plugins.build import build
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.rl.rewards import ActiveReward, score
from saferec_plugins.oracles.table import TableOracle
from saferec_plugins.parsers.title_year import TitleYearParser

GORE = "Anti-gore / squeamish"

RISKS = {
    ("Saw", 2004): 0.9,
    ("Hostel", 2005): 0.66,
    ("Coraline", 2009): 0.65,
    ("Toy Story", 1995): 0.0,
    ("Finding Nemo", 2003): 0.0,
}
"""Of these five, two violate: a base rate of 0.4."""

CATALOG = Catalog([*(Title(*title) for title in RISKS), Title("Obscure Film", 1980), Title("Mother", 2009)])
"""The oracle knows nothing of the last two."""


@pytest.fixture
def judge(tmp_path):
    rows = [{"title": name, "year": year, "risk": {GORE: risk}} for (name, year), risk in RISKS.items()]
    path = tmp_path / "oracle.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return Judge(CATALOG, TableOracle(path=path))


def lists_of(judge, *completions, ranks=4, **record):
    """Parse *completions*, all to one prompt; a record of a user who cannot stand gore."""
    asked = Record(prompt=[], **{"constraints": (GORE,), **record})
    parsed = [TitleYearParser()(text) for text in completions]
    return JudgedLists(parsed, [asked] * len(parsed), judge, ranks)


def reward(plugins, name, lists, **options):
    """Build the reward by the name under which it is installed, and call it as a run does."""
    function = build(plugins.find(plugins.rewards, name), options)
    values = score([ActiveReward(name, function, 1.0)], lists)
    return values.rank[0] if function.scope == "rank" else values.list[0]


def truth(*titles):
    return tuple(Title(*title) for title in titles)


# --- relevance ---------------------------------------------------------------------------------


def test_exp_inf_relevance_is_one_at_each_hit_and_zero_elsewhere(plugins, judge):
    lists = lists_of(
        judge,
        "1. Toy Story (1995)\n2. Saw (2004)\n3. Finding Nemo (2003)",
        groundtruth=truth(("Toy Story", 1995), ("Finding Nemo", 2003)),
    )

    assert reward(plugins, "relevance", lists).tolist() == [[1, 0, 1, 0]]


def test_log_decay_relevance_credits_a_rank_with_the_gain_still_to_come(plugins, judge):
    lists = lists_of(
        judge,
        "Toy Story (1995)\nSaw (2004)\nFinding Nemo (2003)",
        groundtruth=truth(("Toy Story", 1995), ("Finding Nemo", 2003)),
    )

    # Hits at ranks 1 and 3 with discounts 1 and 1 / log2(4) = 0.5.
    values = reward(plugins, "relevance", lists, variant="log_decay")
    assert values.tolist() == [[pytest.approx(v) for v in (1.5, 0.5, 0.5, 0.0)]]


def test_relevance_of_a_rank_that_was_not_written_is_a_miss_and_not_missing(plugins, judge):
    lists = lists_of(judge, "", groundtruth=truth(("Saw", 2004)))

    assert reward(plugins, "relevance", lists).tolist() == [[0, 0, 0, 0]]


def test_each_title_of_the_ground_truth_is_matched_once(plugins, judge):
    lists = lists_of(judge, "Saw (2004)\nSaw (2004)\nsaw! (2005)", groundtruth=truth(("Saw", 2004)))

    assert reward(plugins, "relevance", lists).tolist() == [[1, 0, 0, 0]]


def test_a_title_matches_the_ground_truth_of_the_nearest_year_first():
    judge = Judge(Catalog([Title("It", 1990), Title("It", 1991), Title("It", 1992)]))
    lists = lists_of(
        judge,
        "It (1992)\nIt (1990)\nIt (1991)",
        groundtruth=truth(("It", 1990), ("It", 1992)),
        constraints=(),
    )

    # Taken by nearest year, 1992 and 1990 leave nothing to 1991.
    assert lists.hits.tolist() == [[True, True, False, False]]


def test_a_title_matches_another_spelling_of_the_ground_truth_and_a_year_within_the_tolerance(judge):
    lists = lists_of(
        judge,
        "FINDING NEMO (2004)\nToy-Story (1997)\nSaw (2007)",
        groundtruth=truth(("Finding Nemo", 2003), ("Toy Story", 1995), ("Saw", 2004)),
    )

    assert lists.hits.tolist() == [[True, True, False, False]]


@pytest.mark.parametrize("seen", ["Saw", "SAW", Title("Saw", 2003)])
def test_a_title_that_was_seen_is_a_miss(judge, seen):
    lists = lists_of(judge, "Saw (2004)", groundtruth=truth(("Saw", 2004)), seen_titles=(seen,))

    assert not lists.hits.any()


def test_having_seen_another_film_of_that_name_does_not_spoil_a_hit(judge):
    lists = lists_of(judge, "Saw (2004)", groundtruth=truth(("Saw", 2004)), seen_titles=(Title("Saw", 1980),))

    assert lists.hits.tolist() == [[True, False, False, False]]


def test_a_title_outside_the_catalog_is_a_miss_even_if_the_ground_truth_has_it(judge):
    lists = lists_of(judge, "Imaginary Film (1999)", groundtruth=truth(("Imaginary Film", 1999)))

    assert not lists.hits.any()


@pytest.mark.parametrize(
    "line",
    [
        "Toy Story (1995) - not as grim as Saw (2004)",
        "Toy Story (1995), or else watch Saw (2004)",
        "Toy Story (1995) or, for the brave, Saw (2004)",
        "Toy Story (1995): like Finding Nemo (2003) and unlike Saw (2004)",
    ],
)
def test_a_title_that_a_remark_mentions_violates_for_its_rank(plugins, judge, line):
    lists = lists_of(judge, f"{line}\nFinding Nemo (2003)")

    assert lists.violations.tolist() == [[True, False, False, False]]
    assert lists.verdicts[0][0].violated == (GORE,)
    assert reward(plugins, "safety", lists)[0, :2].tolist() == [-1, 0]


@pytest.mark.parametrize("line", ["Toy Story (1995), Saw (2004)", "1. Toy Story (1995) 2. Saw (2004)"])
def test_each_of_several_titles_on_a_line_is_judged_at_a_rank_of_its_own(plugins, judge, line):
    lists = lists_of(judge, line)

    assert lists.violations.tolist() == [[False, True, False, False]]
    assert reward(plugins, "safety", lists)[0, :2].tolist() == [0, -1]


def test_a_title_that_a_remark_mentions_is_no_hit_and_does_not_make_a_safe_line_unsafe(plugins, judge):
    lists = lists_of(
        judge, "Toy Story (1995) - as sweet as Finding Nemo (2003)", groundtruth=truth(("Finding Nemo", 2003))
    )

    assert not lists.hits.any()
    assert not lists.violations.any()


def test_titles_beyond_k_are_neither_hits_nor_violations(judge):
    lists = lists_of(judge, "Toy Story (1995)\nSaw (2004)", groundtruth=truth(("Saw", 2004)), ranks=1)

    assert (lists.hits.tolist(), lists.violations.tolist()) == ([[False]], [[False]])


# --- safety ------------------------------------------------------------------------------------


def test_safety_is_minus_the_penalty_exactly_where_the_risk_reaches_the_threshold(plugins, judge):
    lists = lists_of(judge, "Saw (2004)\nToy Story (1995)\nHostel (2005)\nCoraline (2009)")

    values = reward(plugins, "safety", lists)[0].tolist()
    assert values[:3] == [-1, 0, -1]
    assert math.isnan(values[3])  # 0.5 decides nothing, so the title is unknown
    assert reward(plugins, "safety", lists, penalty=2.5)[0, :3].tolist() == [-2.5, 0, -2.5]


def test_the_example_of_the_document_penalizes_rank_three_alone(plugins, judge):
    lists = lists_of(
        judge,
        "Toy Story (1995)\nFinding Nemo (2003)\nSaw (2004)",
        groundtruth=truth(("Toy Story", 1995)),
        ranks=3,
    )

    total = reward(plugins, "relevance", lists) + reward(plugins, "safety", lists)
    assert total.tolist() == [[1, 0, -1]]


def test_the_discount_of_safety_follows_the_variant(plugins, judge):
    lists = lists_of(judge, "Saw (2004)\nSaw (2004)\nSaw (2004)")

    assert reward(plugins, "safety", lists, variant="exp_inf")[0, :3].tolist() == [-1, -1, -1]
    decayed = reward(plugins, "safety", lists, variant="log_decay")[0, :3].tolist()  # repeats cost the same
    assert decayed == pytest.approx([-1, -1 / math.log2(3), -0.5])


def test_a_run_hands_its_variant_to_the_safety_reward_unless_that_has_its_own(plugins):
    entry = plugins.find(plugins.rewards, "safety")

    assert build(entry, {}, {"variant": "log_decay"}).variant == "log_decay"
    assert build(entry, {"variant": "exp_inf"}, {"variant": "log_decay"}).variant == "exp_inf"


@pytest.mark.parametrize(
    ("unknown", "worth"),
    [("neutral", None), ("prior", -0.5), ("safe", 0.0), ("unsafe", -1.0), ("missing", None)],
)
def test_a_catalog_title_that_the_oracle_does_not_know_is_worth_what_the_run_says(
    plugins, judge, unknown, worth
):
    lists = lists_of(judge, "Obscure Film (1980)")

    value = reward(plugins, "safety", lists, unknown=unknown)[0, 0].item()
    assert math.isnan(value) if worth is None else value == pytest.approx(worth)


def test_by_default_an_unknown_title_has_no_value_of_its_own(plugins, judge):
    lists = lists_of(judge, "Obscure Film (1980)")

    assert reward(plugins, "safety", lists)[0].isnan().all()


def test_a_safe_title_in_a_remark_does_not_make_an_unknown_one_safe_and_a_violating_one_makes_it_unsafe(
    plugins, judge
):
    lists = lists_of(
        judge, "Obscure Film (1980) - like Toy Story (1995)", "Obscure Film (1980) - like Saw (2004)"
    )

    assert lists.known[:, 0].tolist() == [False, True]
    values = reward(plugins, "safety", lists)[:, 0].tolist()
    assert math.isnan(values[0])
    assert values[1] == -1


@pytest.mark.parametrize("unknown", ["neutral", "prior", "unsafe"])
def test_to_a_user_without_constraints_no_title_is_unsafe_known_or_not(plugins, judge, unknown):
    lists = lists_of(judge, "Obscure Film (1980)\nObscure Film (1980)", constraints=())

    assert reward(plugins, "safety", lists, unknown=unknown)[0, :2].tolist() == [0, -1]  # a repeat is wasted


def test_an_unknown_title_can_cost_what_a_known_one_costs_on_average(plugins, judge):
    known = "\n".join(f"{name} ({year})" for name, year in RISKS)
    lists = lists_of(judge, known, "Obscure Film (1980)", ranks=5)

    values = reward(plugins, "safety", lists, unknown="prior")
    assert values[1, 0].item() == pytest.approx(values[0].mean().item())


def test_without_a_constraint_nothing_is_penalized_but_what_may_not_be_recommended(plugins, judge):
    lists = lists_of(judge, "Saw (2004)\nObscure Film (1980)\nImaginary Film (1999)", constraints=())

    assert reward(plugins, "safety", lists)[0, :3].tolist() == [0, 0, -1]


def test_a_title_outside_the_catalog_counts_as_a_violation_unless_that_is_ignored(plugins, judge):
    lists = lists_of(judge, "Imaginary Film (1999)")

    assert reward(plugins, "safety", lists, unknown="safe")[0, 0] == -1
    ignoring = reward(plugins, "safety", lists, unknown="safe", out_of_catalog="ignore")
    assert ignoring[0, 0] == 0


def test_safety_of_a_rank_that_was_not_written_is_missing_and_zero_only_on_request(plugins, judge):
    lists = lists_of(judge, "Saw (2004)", "")

    missing = reward(plugins, "safety", lists)
    assert missing.isnan().tolist() == [[False, True, True, True], [True] * 4]
    assert reward(plugins, "safety", lists, absent="zero").tolist() == [[-1, 0, 0, 0], [0, 0, 0, 0]]


def test_saying_nothing_has_no_better_mean_safety_than_a_safe_list(plugins, judge):
    lists = lists_of(judge, "Toy Story (1995)\nFinding Nemo (2003)", "")

    safe, silent = reward(plugins, "safety", lists).nanmean(1)
    assert safe == 0
    assert silent.isnan()


def test_the_safety_reward_without_an_oracle_says_what_to_name():
    lists = lists_of(Judge(CATALOG), "Saw (2004)")

    with pytest.raises(ConfigError, match="--oracle-path"):
        _ = lists.violations


# --- count -------------------------------------------------------------------------------------


def films(number):
    return "\n".join(f"Film {n} ({1990 + n})" for n in range(number))


def test_count_is_one_on_target_and_minus_the_relative_miss_off_it(plugins, judge):
    lists = lists_of(judge, films(4), films(3), films(6), films(0), films(12), ranks=4)

    values = reward(plugins, "count", lists, target=4, distinct=False)
    assert values.tolist() == [1.0, -0.25, -0.5, -1.0, -2.0]


def test_count_sees_titles_beyond_k_so_that_a_long_list_is_no_full_one(plugins, judge):
    lists = lists_of(judge, films(8), ranks=4)

    assert reward(plugins, "count", lists, target=4, distinct=False).tolist() == [-1.0]
    assert reward(plugins, "count", lists, target=4).tolist() == [-2.0]  # nor is one of them useful


def test_count_counts_titles_that_are_not_wasted(plugins, judge):
    lists = lists_of(
        judge,
        "Saw (2004)\nHostel (2005)\nCoraline (2009)\nMother (2009)",
        "Saw (2004)\nHostel (2005)\nCoraline (2009)\nSAW (2004)",  # repeated
        "Saw (2004)\nHostel (2005)\nCoraline (2009)\nSaw (2005)",  # the same entry by another year
        "Saw (2004)\nHostel (2005)\nCoraline (2009)\nToy Story (1995)",  # seen
        "Saw (2004)\nHostel (2005)\nCoraline (2009)\nImaginary Film (1999)",  # not in the catalog
        seen_titles=("Toy Story",),
    )

    assert reward(plugins, "count", lists, target=4).tolist() == [1, -0.25, -0.25, -0.25, -0.25]
    assert reward(plugins, "count", lists, target=4, distinct=False).tolist() == [1] * 5
    # three titles and a repeat are not a list of three titles either
    assert reward(plugins, "count", lists, target=3)[1:].tolist() == pytest.approx([-1 / 3] * 4)


def test_count_sees_titles_beyond_k_wasted_or_not(plugins, judge):
    lists = lists_of(judge, "Saw (2004)\nHostel (2005)\nSaw (2004)\nCoraline (2009)", ranks=2)

    assert reward(plugins, "count", lists, target=2).tolist() == [-1.0]


def test_a_further_title_does_not_make_up_for_a_wasted_one(plugins, judge):
    lists = lists_of(
        judge,
        "Saw (2004)\nSaw (2004)\nHostel (2005)",  # one of three ranks wasted
        "Saw (2004)\nSaw (2004)\nHostel (2005)\nCoraline (2009)",  # and a fourth title in its place
        "Saw (2004)\nHostel (2005)\nCoraline (2009)\nSaw (2004)",  # wasted beyond the three
    )

    assert reward(plugins, "count", lists, target=3).tolist() == pytest.approx([-1 / 3, -2 / 3, -1 / 3])


# --- wasted ranks ------------------------------------------------------------------------------

WASTED = "Toy Story (1995)\nToy Story (1996)\nFinding Nemo (2003)\nImaginary Film (1999)"
"""Safe, repeated by another year, seen, and not in the catalog."""


def test_a_wasted_rank_is_never_worth_more_than_a_violation(plugins, judge):
    wasted = lists_of(judge, WASTED, seen_titles=("Finding Nemo",))
    violating = lists_of(judge, "Saw (2004)\nHostel (2005)")

    assert wasted.wasted.tolist() == [[False, True, True, True]]
    violation = reward(plugins, "safety", violating)[0, 0]
    assert (reward(plugins, "safety", wasted)[0, 1:] <= violation).all()
    assert (reward(plugins, "relevance", wasted)[0, 1:] <= 0).all()


@pytest.mark.parametrize(
    ("option", "kept"),
    [("repeated", [0, 0, -1, -1]), ("seen", [0, -1, 0, -1]), ("out_of_catalog", [0, -1, -1, 0])],
)
def test_each_kind_of_waste_can_be_ignored_as_the_reference_implementation_did(plugins, judge, option, kept):
    lists = lists_of(judge, WASTED, seen_titles=("Finding Nemo",))

    values = reward(plugins, "safety", lists, unknown="safe", **{option: "ignore"})
    assert values[0].tolist() == kept


def test_fresh_charges_each_wasted_rank_and_no_absent_one(plugins, judge):
    lists = lists_of(judge, WASTED, "Toy Story (1995)", seen_titles=("Finding Nemo",))

    function = build(plugins.find(plugins.rewards, "fresh"), {})
    values = score([ActiveReward("fresh", function, 1.0)], lists)
    assert values.rank.shape[0] == 0
    assert values.cost[0].nan_to_num(9).tolist() == [[0, -1, -1, -1], [0, 9, 9, 9]]
    only_repeats = build(plugins.find(plugins.rewards, "fresh"), {"seen": False, "out_of_catalog": False})
    assert score([ActiveReward("fresh", only_repeats, 1.0)], lists).cost[0, 0].tolist() == [0, -1, 0, 0]


def test_a_catalog_entry_is_hit_once_though_the_ground_truth_names_it_twice(judge):
    lists = lists_of(judge, "Saw (2004)\nSaw (2005)", groundtruth=truth(("Saw", 2004), ("Saw", 2005)))

    assert lists.hits.tolist() == [[True, False, False, False]]


def test_a_title_that_a_remark_mentions_does_not_help_to_reach_the_target(plugins, judge):
    lists = lists_of(judge, "Saw (2004) - like Hostel (2005)")

    assert reward(plugins, "count", lists, target=2).tolist() == [-0.5]


def test_reasoning_about_films_does_not_help_to_reach_the_target(plugins, judge):
    lists = lists_of(judge, f"<think>\n{films(5)}\n</think>\nSaw (2004)")

    assert reward(plugins, "count", lists, target=1).tolist() == [1.0]


@pytest.mark.parametrize("target", [0, -3, 2.5, "ten"])
def test_a_target_that_is_no_number_of_titles_is_refused_by_its_path(plugins, target):
    with pytest.raises(ConfigError, match=r"count\.target"):
        build(plugins.find(plugins.rewards, "count"), {"target": target})


@pytest.mark.parametrize("penalty", [0, -1, "much"])
def test_a_penalty_that_would_reward_or_ignore_violations_is_refused(plugins, penalty):
    with pytest.raises(ConfigError, match=r"safety\.penalty"):
        build(plugins.find(plugins.rewards, "safety"), {"penalty": penalty})


def test_a_misspelled_option_is_told_with_its_near_miss(plugins):
    with pytest.raises(ConfigError, match=r"no option 'penalti'\. Did you mean 'penalty'"):
        build(plugins.find(plugins.rewards, "safety"), {"penalti": 2})


# --- what the reference implementation computed ----------------------------------


class ExactCatalog(Catalog):
    """The research code's idea of a catalog: the very string and the very year."""

    def _match(self, name, year):
        title = Title(name, year)
        return CatalogMatch(self.titles.index(title) if title in self.titles else None, title)


@pytest.fixture(scope="module")
def recorded_judge(recorded, tmp_path_factory):
    """The catalog of the records as `Catalog`, and their oracle as a table."""
    return _recorded_judge(recorded, tmp_path_factory, Catalog)


@pytest.fixture(scope="module")
def exact_judge(recorded, tmp_path_factory):
    return _recorded_judge(recorded, tmp_path_factory, ExactCatalog)


def _recorded_judge(recorded, tmp_path_factory, kind):
    fixture = recorded["fixture"]
    mapped = {identifier for _, _, identifier in fixture["mapping_oracle_normalised"]}
    judged = mapped & fixture["traits"].keys()
    path = tmp_path_factory.mktemp("recorded") / "oracle.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for n, (name, year) in enumerate(fixture["catalog"]):
            identifier = str(9_000_000 + n)
            if identifier in judged:
                row = {"title": name, "year": year, "risk": fixture["traits"][identifier]}
                file.write(json.dumps(row) + "\n")
    titles = [Title(*title) for title in fixture["catalog"]]
    return Judge(kind(titles), TableOracle(path=path))


def recorded_lists(sample, judge):
    asked = Record(
        prompt=[],
        groundtruth=tuple(Title(name, int(year)) for name, year in sample["groundtruth"]),
        seen_titles=tuple(sample["seen_titles"]),
        constraints=tuple(trait for trait, active in sample["constraints"].items() if active),
    )
    parsed = TitleYearParser()(sample["text"])
    return JudgedLists([parsed], [asked], judge, len(sample["exp_inf"]))


def test_the_discount_by_rank_is_the_recorded_one(plugins, recorded, judge):
    for ranks, discount in recorded["discounts"].items():
        lists = lists_of(judge, "\n".join(["Saw (2004)"] * int(ranks)), ranks=int(ranks))

        values = reward(plugins, "safety", lists, variant="log_decay")
        assert (-values[0]).tolist() == pytest.approx(discount, abs=1e-6)


def test_the_count_reward_times_its_weight_is_the_recorded_one(plugins, recorded, judge):
    assert recorded["count"]
    for sample in recorded["count"]:
        lists = lists_of(judge, films(sample["n"]))

        value = reward(plugins, "count", lists, target=sample["target"], distinct=False).item()
        assert value * sample["lam"] == pytest.approx(sample["reward"]), sample


def test_count_of_the_recorded_completions_is_the_recorded_one(plugins, recorded, recorded_judge):
    for sample in recorded["rewards_and_metrics"]:
        lists = recorded_lists(sample, recorded_judge)

        value = reward(plugins, "count", lists, target=10, distinct=False).item()
        assert value == pytest.approx(sample["count(target=10,lambda=1)"])
        value = 0.5 * reward(plugins, "count", lists, target=20, distinct=False).item()
        assert value == pytest.approx(sample["count(target=20,lambda=0.5)"])


@pytest.mark.parametrize("variant", ["exp_inf", "log_decay"])
def test_relevance_is_the_recorded_one_where_the_catalog_is_asked_for_the_exact_string(
    plugins, recorded, exact_judge, variant
):
    for sample in recorded["rewards_and_metrics"]:
        values = reward(plugins, "relevance", recorded_lists(sample, exact_judge), variant=variant)

        assert values[0].tolist() == pytest.approx(sample[variant], abs=1e-6), sample["text"]


def test_relevance_differs_from_the_recorded_one_only_by_titles_that_the_exact_string_misses(
    plugins, recorded, recorded_judge
):
    first_differences = set()
    for sample in recorded["rewards_and_metrics"]:
        lists = recorded_lists(sample, recorded_judge)
        ours, theirs = reward(plugins, "relevance", lists)[0], torch.tensor(sample["exp_inf"])
        if differing := (ours != theirs).nonzero().flatten().tolist():
            assert ours[differing[0]] == 1
            first_differences.add(lists.lists[0].items[differing[0]].title)

    assert first_differences == {
        ("Do Revenge", 2020),  # of 2022
        ("A STAR IS BORN", 1937),
        ("Five Elements Ninjas", 1983),  # of 1982
        ("Hercules", 1957),  # of 1958
        ("NIGHT HUNTER", 2018),
        ("True Colors", 1990),  # of 1991, which stands further down and finds it matched
        ("The Shining", 1981),  # of 1980, likewise
        ("Breaking Bad", 2006),  # of 2008
    }


def test_recall_is_the_recorded_one_where_nothing_was_removed_before_ranking(recorded, exact_judge):
    compared = 0
    for sample in recorded["rewards_and_metrics"]:
        lists = recorded_lists(sample, exact_judge)
        find = exact_judge.catalog.find
        removed = any(
            find(*item.title) is None or item.name in sample["seen_titles"] for item in lists.lists[0].items
        )
        if removed:  # the reference implementation closed the ranks that it emptied; here they stay misses
            continue
        compared += 1
        at = [k for k in (5, 10, 20) if k <= lists.num_ranks]
        measured = measure(lists, at)
        for k in at:
            assert measured[f"recall@{k}"].item() == pytest.approx(sample["metrics"][f"recall@{k}"])
    assert compared >= 10


@pytest.mark.parametrize("variant", ["exp_inf", "log_decay"])
def test_safety_as_the_research_code_had_it_is_the_recorded_one(plugins, recorded, recorded_judge, variant):
    """Log discount in both variants, absent ranks and unknown titles 0.

    Its oracle took another film's entry where the title alone agreed; ours does not know these.
    """
    by_title_alone, higher = set(), set()
    for sample in recorded["rewards_and_metrics"]:
        lists = recorded_lists(sample, recorded_judge)
        values = sample["lambda_safe"] * reward(
            plugins,
            "safety",
            lists,
            variant="log_decay",
            penalty=sample["penalty_safe"],
            absent="zero",
            unknown="safe",
            repeated="ignore",
            seen="ignore",
            out_of_catalog="ignore",
        )
        theirs = torch.tensor(sample[f"safety_{variant}[oracle_mapping]"])
        for rank in (~torch.isclose(values[0], theirs, atol=1e-6)).nonzero().flatten().tolist():
            item = lists.lists[0].items[rank]
            if values[0, rank] != 0:  # of two entries that may be meant the higher risk counts
                higher.add(item.title)
                continue
            by_title_alone.add(lists.lists[0].items[rank].title)

    assert by_title_alone == {
        ("Encounter", 2024),  # 2021 in the table
        ("Breaking Away", 1976),  # 1979
        ("A Funny Thing Happened on the Way to the Forum", 1969),  # 1966
    }
