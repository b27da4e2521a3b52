"""Lists held against catalog, ground truth and oracle."""

import pytest

from saferec_core.data.catalog import Catalog
from saferec_core.data.records import Record
from saferec_core.data.titles import Title
from saferec_core.errors import ConfigError, PluginError, SaferecError, UnknownNameError
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.contracts.oracle import Oracle, Question, Verdict
from saferec_core.plugins.contracts.parser import ParsedItem, ParsedList

CATALOG = Catalog([Title("Saw", 2004), Title("Up", 2009), Title("Coco", 2017), Title("Heat", 1995)])


class CountingOracle(Oracle):
    """Knows all but Heat, takes Saw for a violation of gore, and keeps what it was asked."""

    traits = ("gore", "joy")
    deterministic = False  # or it is asked again to check the order

    def __init__(self):
        self.batches = []

    def judge(self, questions):
        self.batches.append(list(questions))
        return [
            Verdict(
                known=question.name != "Heat",
                violated=("gore",) if question.name == "Saw" and "gore" in question.constraints else (),
            )
            for question in questions
        ]


def parsed(*titles):
    return ParsedList(tuple(ParsedItem(name, year, 0, 0, 0) for name, year in titles))


def judged(judge, *lists, constraints=("gore",), ranks=3):
    records = [Record(prompt=[], constraints=constraints) for _ in lists]
    return JudgedLists([parsed(*titles) for titles in lists], records, judge, ranks)


def test_every_entry_of_a_rank_that_was_not_written_is_false():
    lists = judged(Judge(CATALOG, CountingOracle()), [("Saw", 2004)], [])

    assert lists.rank_mask.tolist() == [[True, False, False], [False] * 3]
    assert lists.in_catalog.tolist() == [[True, False, False], [False] * 3]
    assert lists.known.tolist() == [[True, False, False], [False] * 3]
    assert lists.violations.tolist() == [[True, False, False], [False] * 3]


def test_what_a_list_holds_beyond_k_is_counted_but_not_judged():
    oracle = CountingOracle()
    lists = judged(Judge(CATALOG, oracle), [("Up", 2009), ("Coco", 2017), ("Saw", 2004)], ranks=2)

    assert lists.lengths.tolist() == [3]
    assert lists.rank_mask.tolist() == [[True, True]]
    assert lists.violations.tolist() == [[False, False]]
    assert [question.name for question in oracle.batches[0]] == ["Up", "Coco"]


def test_a_title_is_repeated_where_an_earlier_rank_names_its_catalog_entry():
    lists = judged(
        Judge(CATALOG),
        [("Saw", 2004), ("saw", 2005), ("Up", 2009)],  # the catalog has one Saw, within a year of both
        [("Nobody", 1999), ("Nobody", 2000), ("nobody", 1999)],
    )

    assert lists.repeated.tolist() == [[False, True, False], [False, False, True]]


def test_a_title_is_seen_by_its_name_and_a_near_year_or_by_its_name_alone():
    records = [Record(prompt=[], seen_titles=(Title("Saw", 2005), "Coco"))] * 2
    titles = [parsed(("SAW", 2004), ("Up", 2009)), parsed(("Coco", 1950))]
    lists = JudgedLists(titles, records, Judge(CATALOG), 3)

    assert lists.seen.tolist() == [[True, False, False], [True, False, False]]


NAMED = Catalog(
    [Title("Seven", 1995), Title("Serbian Film, A (Srpski film)", 2010), Title("Saw", 2004)],
    aliases={0: ["Se7en"], 2: ["Saw: Uncut"]},
)


@pytest.mark.parametrize("seen", [Title("Se7en", 1995), Title("Seven", 1996), "Se7en"], ids=str)
@pytest.mark.parametrize("written", ["Seven", "Se7en"])
def test_a_title_is_seen_and_relevant_by_whichever_of_its_names(written, seen):
    records = [
        Record(prompt=[], seen_titles=(seen,)),
        Record(prompt=[], groundtruth=(Title("Se7en", 1995),)),
        Record(prompt=[], groundtruth=(Title("Srpski film", 2010), Title("A Serbian Film", 2010))),
    ]
    titles = [
        parsed((written, 1995)),
        parsed((written, 1995), ("Seven", 1995)),
        parsed(("Srpski film", 2010), ("Serbian Film, A", 2010)),
    ]
    lists = JudgedLists(titles, records, Judge(NAMED), 2)

    assert lists.seen.tolist() == [[True, False], [False, False], [False, False]]
    assert lists.hits.tolist() == [[False, False], [True, False], [True, False]]


def test_no_name_of_a_title_hides_a_violation_that_the_oracle_knows_by_another():
    oracle = CountingOracle()  # knows "Saw" alone of the two names
    catalog = Catalog([Title("Saw: Uncut", 2004), Title("Up", 2009)], aliases={0: ["Saw", "Le Puzzle"]})
    judge = Judge(catalog, oracle)
    lists = judged(judge, [("Le Puzzle", 2004), ("Up", 2009)], [("Saw", 2004)], [("Saw: Uncut", 2005)])

    assert lists.violations[:, 0].tolist() == [True, True, True]
    assert lists.violations[0].tolist() == [True, False, False]
    assert judge.base_rate(("gore",)) == 0.5
    by_name = [judge.ask([Question(name, 2004, ("gore",))]) for name in ("Saw: Uncut", "Saw", "Le Puzzle")]
    assert all(verdict.violated == ("gore",) for (verdict,) in by_name)


class DatedOracle(Oracle):
    """Has verdicts by name and year, and none for another year."""

    traits = ("gore",)

    def __init__(self, risks):
        self.risks = risks

    def judge(self, questions):
        risks = [self.risks.get((question.name, question.year)) for question in questions]
        return [Verdict(risk is not None, {"gore": risk or 0.0}, ("gore",) if risk else ()) for risk in risks]


@pytest.mark.parametrize(
    ("risks", "violating"),
    [
        pytest.param({1986: 1.0, 1988: 0.0}, [True, True, True], id="the other year is safe"),
        pytest.param({1986: 1.0}, [True, True, True], id="the other year is not known"),
        pytest.param({1986: 0.0, 1988: 1.0}, [False, False, True], id="the other year violates"),
    ],
)
def test_another_year_within_the_tolerance_is_no_way_around_the_verdict_on_the_entry(risks, violating):
    oracle = DatedOracle({("The Fly", year): risk for year, risk in risks.items()})
    judge = Judge(Catalog([Title("The Fly", 1986)]), oracle)
    lists = judged(judge, *([("The Fly", year)] for year in (1986, 1987, 1988)))

    assert lists.violations[:, 0].tolist() == violating
    assert lists.known[:, 0].all()


def test_the_oracle_is_asked_once_for_a_whole_batch():
    oracle = CountingOracle()
    lists = judged(Judge(CATALOG, oracle), [("Saw", 2004)], [("Up", 2009), ("Coco", 2017)])
    _ = lists.known, lists.violations, lists.verdicts

    assert [len(batch) for batch in oracle.batches] == [3]


def test_each_list_is_judged_by_the_constraints_of_its_own_user():
    records = [Record(prompt=[], constraints=("gore",)), Record(prompt=[], constraints=("joy",))]
    lists = JudgedLists([parsed(("Saw", 2004))] * 2, records, Judge(CATALOG, CountingOracle()), 1)

    assert lists.violations.tolist() == [[True], [False]]


def test_the_base_rate_is_the_share_of_violations_among_the_known_titles_of_the_catalog():
    oracle = CountingOracle()
    judge = Judge(CATALOG, oracle)

    assert judge.base_rate(("gore",)) == pytest.approx(1 / 3)  # Heat is not known
    assert judge.base_rate(("joy",)) == 0
    assert judge.base_rate(("gore",)) == pytest.approx(1 / 3)
    assert judge.base_rate(("gore", "joy")) == pytest.approx(1 / 3)
    assert len(oracle.batches) == 1  # each title once, about all traits


def test_a_title_counts_for_the_base_rate_if_it_violates_one_trait_or_is_decided_for_all():
    verdicts = {
        "Saw": Verdict(known=True, risks={"gore": 0.9}, violated=("gore",)),  # nothing about joy
        "Up": Verdict(known=False, risks={"gore": 0.1}),  # nothing about joy
        "Coco": Verdict(known=True, risks={"gore": 0.1, "joy": 0.1}),
        "Heat": Verdict(known=False, risks={"gore": 0.5, "joy": 0.9}, violated=(), open=("gore", "joy")),
    }

    class ByTitle(Oracle):
        traits = ("gore", "joy")

        def judge(self, questions):
            return [verdicts[question.name] for question in questions]

    judge = Judge(CATALOG, ByTitle())

    assert judge.base_rate(("gore",)) == pytest.approx(1 / 3)  # of Saw, Up and Coco
    assert judge.base_rate(("joy",)) == 0  # of Coco
    assert judge.base_rate(("gore", "joy")) == pytest.approx(1 / 2)  # of Saw and Coco
    assert judge.base_rate(()) == 0
    with pytest.raises(UnknownNameError, match="'glee'"):
        judge.base_rate(("glee",))


def test_a_judge_without_an_oracle_says_how_to_name_one():
    with pytest.raises(ConfigError, match="--oracle-path"):
        Judge(CATALOG).ask([])


class Failing(Oracle):
    traits = ("gore",)

    def __init__(self, answer):
        self.answer = answer

    def judge(self, questions):
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_an_oracle_that_fails_is_named_and_never_taken_for_safe():
    lists = judged(Judge(CATALOG, Failing(TimeoutError("no reply"))), [("Saw", 2004)])

    with pytest.raises(PluginError, match="oracle 'Failing' failed: TimeoutError: no reply"):
        _ = lists.violations


@pytest.mark.parametrize("answer", [[], [Verdict(known=True)] * 2, None])
def test_an_oracle_that_does_not_answer_every_question_is_named(answer):
    lists = judged(Judge(CATALOG, Failing(answer)), [("Saw", 2004)])

    with pytest.raises(PluginError, match="oracle 'Failing'"):
        _ = lists.violations


def test_an_error_that_the_oracle_meant_for_the_user_is_passed_on():
    lists = judged(Judge(CATALOG, Failing(SaferecError("renew your license"))), [("Saw", 2004)])

    with pytest.raises(SaferecError, match=r"^renew your license$"):
        _ = lists.violations


# --- titles as the catalog completes them ------------------------------------------------------

ROOMS = [Title("Heat", 1995), Title("The Room", 2003), Title("The Room", 2019), Title("Pi", None)]
JUMANJI = Title("Jumanji: Welcome to the Jungle", 2017)


def judged_for(catalog, *titles, truth=(), seen=()):
    record = Record(prompt=[], groundtruth=tuple(truth), seen_titles=tuple(seen))
    return JudgedLists([parsed(*titles)], [record], Judge(catalog, CountingOracle()), len(titles))


def test_ground_truth_without_a_year_is_hit_by_the_only_entry_with_its_name():
    truth = [Title("Heat", None), Title("Pi", None)]
    lists = judged_for(Catalog(ROOMS), ("Heat", 1996), ("Pi", 1998), ("Heat", None), truth=truth)

    assert lists.hits.tolist() == [[True, True, False]]
    assert lists.truth_sizes.tolist() == [2]


def test_ground_truth_without_a_year_that_may_be_two_entries_is_never_hit_but_counts():
    truth = [Title("The Room", None), Title("Heat", 1995)]
    lists = judged_for(Catalog(ROOMS), ("The Room", 2003), ("The Room", 2019), ("Heat", 1995), truth=truth)

    assert lists.hits.tolist() == [[False, False, True]]
    assert lists.truth_sizes.tolist() == [2]


def test_ground_truth_with_and_without_its_year_is_one_title():
    truth = [Title("Heat", None), Title("Heat", 1995)]

    assert judged_for(Catalog(ROOMS), ("Heat", 1995), truth=truth).truth_sizes.tolist() == [1]


@pytest.mark.parametrize(
    ("written", "entry"),
    [
        (("Jumanji", 2017), JUMANJI),
        (("Kingsman: The Secret Service", 2014), Title("Kingsman", 2014)),
        (
            ("Star Wars: The Rise of Skywalker", 2019),
            Title("Star Wars: Episode IX - The Rise of Skywalker", 2019),
        ),
    ],
    ids=["main title", "further subtitle", "one subtitle of two"],
)
def test_a_title_that_differs_by_its_subtitle_is_the_entry_only_if_that_is_chosen(written, entry):
    titles = [Title("Up", 2009), entry]
    for listed, relevant in ((written, entry), (tuple(entry), Title(*written))):
        chosen = Catalog(titles, match_subtitles=True)
        twice = judged_for(chosen, listed, tuple(entry), truth=[relevant])
        assert twice.hits.tolist() == [[True, False]]
        assert twice.repeated.tolist() == [[False, True]]
        assert judged_for(chosen, listed, seen=[relevant]).seen.tolist() == [[True]]
        assert judged_for(Catalog(titles), listed, truth=[relevant]).hits.tolist() == [[False]]


def test_the_oracle_is_asked_about_the_entry_that_a_subtitle_leads_to():
    lists = judged_for(Catalog([JUMANJI], match_subtitles=True), ("Jumanji", 2017))
    _ = lists.known

    [[question]] = lists.judge.oracle.batches
    assert question.name == "Jumanji: Welcome to the Jungle"


@pytest.mark.parametrize(
    "titles",
    [
        [JUMANJI, Title("Jumanji: The Making of", 2017)],
        [JUMANJI, Title("Jumanji", 2016), Title("Jumanji", 2018)],
        [Title("Jumanji: Welcome to the Jungle", 2018)],
    ],
    ids=["two begin so", "two years equally near", "another year"],
)
def test_a_subtitle_decides_nothing_that_is_ambiguous_or_of_another_year(titles):
    lists = judged_for(Catalog(titles, match_subtitles=True), ("Jumanji", 2017))

    assert lists.in_catalog.tolist() == [[False]]
