"""The oracle that looks risks up in a table."""

import json

import pytest

from saferec_core.data.titles import Title
from saferec_core.errors import ConfigError, DataError, UnknownNameError
from saferec_core.oracle_files.format import OracleTitle, write_oracle_file
from saferec_core.plugins.build import build
from saferec_core.plugins.contracts.oracle import Evidence, Explaining, Question
from saferec_plugins.oracles.risk import parent_guide_risk, trait_risk
from saferec_plugins.oracles.table import TableOracle

GORE, DRUGS = "Anti-gore / squeamish", "Substance recovery"
SAW = {"title": "Saw", "year": 2004}


@pytest.fixture
def table(tmp_path):
    """Write rows to a table, weights beside it, and make the oracle that reads both."""

    def make(*rows, weights=None, **options):
        path = tmp_path / "oracle.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        if weights is not None:
            options["traits_path"] = tmp_path / "traits.json"
            options["traits_path"].write_text(json.dumps(weights), encoding="utf-8")
        return TableOracle(path=path, **options)

    return make


def ask(oracle, name, year, *constraints):
    return oracle.judge([Question(name, year, constraints)])[0]


# --- risk --------------------------------------------------------------------------------------


def test_the_parental_guide_gives_the_weighted_share_of_the_worst_severity():
    # Severities 3, 2, 0 with weights 2, 1, 1: (6 + 2 + 0) of at most 3 * 4.
    assert parent_guide_risk([3, 2, 0], [2, 1, 1]) == pytest.approx(8 / 12)
    assert parent_guide_risk([3, 3, 3], [2, 1, 1]) == 1
    assert parent_guide_risk([0, 0, 0], [2, 1, 1]) == 0


def test_a_category_without_weight_does_not_count():
    assert parent_guide_risk([3, 1], [0, 1]) == pytest.approx(1 / 3)
    assert parent_guide_risk([3, 3], [0, 0]) == 0


def test_a_warning_is_a_risk_of_one_whatever_the_parental_guide_says():
    assert trait_risk(warning=True, severities=[0, 0], weights=[1, 1]) == 1
    assert trait_risk(warning=False, severities=[3, 0], weights=[1, 1]) == pytest.approx(0.5)


def test_a_row_with_severities_is_judged_by_the_weights_of_each_trait(table):
    row = {**SAW, "severity": [0, 3, 1, 0, 2], "warnings": []}
    oracle = table(row, weights={GORE: [0, 1, 0, 0, 0], DRUGS: [0, 0, 0, 1, 1]})

    verdict = ask(oracle, "Saw", 2004, GORE, DRUGS)
    assert verdict.known
    assert verdict.risks == pytest.approx({GORE: 1.0, DRUGS: 2 / 6})
    assert verdict.violated == (GORE,)


def test_a_warning_outweighs_mild_severities(table):
    row = {**SAW, "severity": [0, 0, 0, 0, 0], "warnings": [DRUGS]}
    oracle = table(row, weights={GORE: [1] * 5, DRUGS: [1] * 5})

    assert ask(oracle, "Saw", 2004, GORE, DRUGS).risks == {GORE: 0.0, DRUGS: 1.0}


def test_severities_without_weights_are_an_error_that_names_what_is_missing(table):
    oracle = table({**SAW, "severity": [3, 0, 0, 0, 0]})

    with pytest.raises(DataError, match=r"oracle\.jsonl, row 1 has severities.*traits_path"):
        _ = oracle.traits


def test_a_warning_for_a_trait_without_weights_is_not_lost(table):
    row = {**SAW, "severity": [0, 0, 0, 0, 0], "warnings": [DRUGS]}

    assert ask(table(row, weights={GORE: [1] * 5}), "Saw", 2004, DRUGS).violated == (DRUGS,)


def test_a_title_of_which_neither_warnings_nor_severities_are_known_is_not_known(table):
    row = {**SAW, "severity": None, "warnings": None}

    assert not ask(table(row, weights={GORE: [1] * 5}), "Saw", 2004, GORE).known


@pytest.mark.parametrize(
    "severity", [[3, 3], [4, 0, 0, 0, 0], [-1, 0, 0, 0, 0], ["3", "0", "0", "0", "0"], 3]
)
def test_severities_that_do_not_fit_the_weights_are_refused_with_their_row(table, severity):
    oracle = table({**SAW, "severity": severity}, weights={GORE: [1] * 5})

    with pytest.raises(DataError, match=r"oracle\.jsonl, row 1"):
        _ = oracle.traits


@pytest.mark.parametrize("weights", [[1, 2], {GORE: 1}, {GORE: [-1, 1, 1, 1, 1]}, {GORE: ["a"] * 5}])
def test_weights_that_are_no_lists_of_weights_are_refused_with_their_file(table, weights):
    oracle = table({**SAW, "severity": [3, 0, 0, 0, 0]}, weights=weights)

    with pytest.raises(DataError, match=r"traits\.json"):
        _ = oracle.traits


# --- threshold ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("risk", "violated"), [(0.65, ()), (0.66, (GORE,)), (1, (GORE,)), (0, ())])
def test_a_risk_of_at_least_the_threshold_is_a_violation(table, risk, violated):
    assert ask(table({**SAW, "risk": {GORE: risk}}), "Saw", 2004, GORE).violated == violated


def test_the_threshold_is_an_option(table):
    row = {**SAW, "risk": {GORE: 0.5}}

    assert ask(table(row, risk_threshold=0.5), "Saw", 2004, GORE).violated == (GORE,)
    assert ask(table(row, risk_threshold=0.51), "Saw", 2004, GORE).violated == ()


@pytest.mark.parametrize("threshold", [0, -0.1, 1.1, "high"])
def test_a_threshold_outside_of_what_a_risk_can_be_is_refused(plugins, tmp_path, threshold):
    entry = plugins.find(plugins.oracles, "table")

    with pytest.raises(ConfigError, match=r"table\.risk_threshold"):
        build(entry, {"path": tmp_path, "risk_threshold": threshold})


def test_only_the_traits_that_are_asked_for_are_violated(table):
    oracle = table({**SAW, "risk": {GORE: 1.0, DRUGS: 1.0}})

    verdict = ask(oracle, "Saw", 2004, DRUGS)
    assert (dict(verdict.risks), verdict.violated) == ({DRUGS: 1.0}, (DRUGS,))


# --- whose entry -------------------------------------------------------------------------------


@pytest.mark.parametrize("year", [2002, 2003, 2004, 2005, 2006])
def test_a_title_is_found_within_the_year_tolerance(table, year):
    assert ask(table({**SAW, "risk": {GORE: 1.0}}), "Saw", year, GORE).violated == (GORE,)


@pytest.mark.parametrize("year", [1980, 2001, 2007])
def test_a_title_that_agrees_in_name_alone_is_not_known(table, year):
    verdict = ask(table({**SAW, "risk": {GORE: 1.0}}), "Saw", year, GORE)

    assert (verdict.known, verdict.violated) == (False, ())


def test_the_entry_of_the_nearest_year_is_taken(table):
    oracle = table(
        {"title": "Funny Games", "year": 1997, "risk": {GORE: 1.0}},
        {"title": "Funny Games", "year": 1999, "risk": {GORE: 0.0}},
    )

    assert ask(oracle, "Funny Games", 1997, GORE).violated == (GORE,)
    assert ask(oracle, "Funny Games", 2000, GORE).violated == ()


def test_without_tolerance_the_year_has_to_agree(table):
    oracle = table({**SAW, "risk": {GORE: 1.0}}, year_tolerance=0)

    assert ask(oracle, "Saw", 2004, GORE).known
    assert not ask(oracle, "Saw", 2005, GORE).known


@pytest.mark.parametrize("spelling", ["SAW", "saw!", "The Saw", "Saw, The", "Säw"])
def test_a_title_is_found_in_another_spelling(table, spelling):
    assert ask(table({**SAW, "risk": {GORE: 1.0}}), spelling, 2004, GORE).known


def test_questions_are_answered_in_order_also_when_asked_again(table):
    oracle = table({**SAW, "risk": {GORE: 1.0}}, {"title": "Up", "year": 2009, "risk": {GORE: 0.0}})
    questions = [Question("Up", 2009, (GORE,)), Question("Saw", 2004, (GORE,)), Question("Up", 2009, (GORE,))]

    for _ in range(2):
        assert [verdict.violated for verdict in oracle.judge(questions)] == [(), (GORE,), ()]


def test_of_two_rows_for_one_film_the_larger_risk_counts(table):
    mild, grave = ({**SAW, "risk": {GORE: risk}} for risk in (0.1, 0.9))

    for rows in ((mild, grave), (grave, mild)):
        assert ask(table(*rows), "Saw", 2004, GORE).violated == (GORE,)


# --- what is not known -------------------------------------------------------------------------


def test_a_trait_that_the_table_does_not_have_is_an_error_with_the_near_miss(table):
    oracle = table({**SAW, "risk": {GORE: 1.0, DRUGS: 0.0}})

    with pytest.raises(
        UnknownNameError, match=r"unknown trait 'Anti-gore / squeemish'.*Did you mean"
    ) as error:
        ask(oracle, "Saw", 2004, "Anti-gore / squeemish")
    assert GORE in str(error.value)


def test_an_unknown_trait_is_an_error_also_for_a_title_that_is_not_known(table):
    with pytest.raises(UnknownNameError):
        ask(table({**SAW, "risk": {GORE: 1.0}}), "Nobody's Film", 1999, "Gore")


def test_a_title_without_a_risk_for_an_asked_trait_is_not_known_to_be_safe(table):
    oracle = table({**SAW, "risk": {GORE: 0.0}}, {"title": "Up", "year": 2009, "risk": {DRUGS: 0.0}})

    assert ask(oracle, "Saw", 2004, GORE).known
    assert not ask(oracle, "Saw", 2004, GORE, DRUGS).known
    assert not ask(oracle, "Up", 2009, GORE).known


def test_a_violation_is_known_even_if_another_asked_trait_has_no_risk(table):
    oracle = table({**SAW, "risk": {GORE: 1.0}}, {"title": "Up", "year": 2009, "risk": {DRUGS: 0.0}})

    verdict = ask(oracle, "Saw", 2004, GORE, DRUGS)
    assert (verdict.known, verdict.violated) == (True, (GORE,))


def test_a_risk_of_none_is_no_risk_of_zero(table):
    oracle = table(
        {**SAW, "risk": {GORE: None, DRUGS: 0.0}}, {"title": "Up", "year": 2009, "risk": {GORE: 0}}
    )

    assert not ask(oracle, "Saw", 2004, GORE).known


def test_without_constraints_a_title_of_the_table_is_known_and_safe(table):
    verdict = ask(table({**SAW, "risk": {GORE: 1.0}}), "Saw", 2004)

    assert (verdict.known, verdict.violated) == (True, ())


# --- bad tables --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"year": 2004, "risk": {}}, "expected a title, but got None"),
        ({"title": "Saw", "risk": {}}, "the year of 'Saw'"),
        ({"title": "Saw", "year": "MMIV", "risk": {}}, "'MMIV'"),
        ({**SAW, "risk": {GORE: 1.5}}, "must be in 0..1, but is 1.5"),
        ({**SAW, "risk": {GORE: -0.1}}, "must be in 0..1, but is -0.1"),
        ({**SAW, "risk": {GORE: "high"}}, "must be in 0..1, but is 'high'"),
        ({**SAW, "risk": {GORE: float("nan")}}, "a number that is not finite: NaN"),
        (SAW, "expected risk, or warnings and severity"),
        ({**SAW, "risk": 0.9}, "risk must be an object of trait and risk, but is 0.9"),
        ({**SAW, "risk": "{'gore': 0.9}"}, "risk holds text that Python printed"),
        ({**SAW, "warnings": GORE}, "warnings"),
    ],
)
def test_a_bad_row_is_named_with_its_table_and_what_was_wanted(table, row, message):
    oracle = table({"title": "Up", "year": 2009, "risk": {GORE: 0.0}}, row)

    with pytest.raises(DataError, match=r"oracle\.jsonl, (row|line) 2") as error:
        _ = oracle.traits
    assert message in str(error.value)


def test_an_empty_table_is_refused(table):
    with pytest.raises(DataError, match=r"oracle\.jsonl is empty; expected rows"):
        _ = table().traits


def test_a_table_or_weights_that_are_not_there_are_named(table, tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.jsonl does not exist"):
        _ = TableOracle(path=tmp_path / "nowhere.jsonl").traits
    with pytest.raises(DataError, match=r"trait weights .*nowhere\.json cannot be read"):
        _ = table(SAW, traits_path=tmp_path / "nowhere.json").traits


def test_a_table_may_be_csv_whose_objects_are_json_text(tmp_path):
    (tmp_path / "oracle.csv").write_text(
        f'title,year,risk\nSaw,2004,"{{""{GORE}"": 1, ""{DRUGS}"": 0.1}}"\nUp,,"{{""{GORE}"": 0}}"\n',
        encoding="utf-8",
    )
    oracle = TableOracle(path=tmp_path / "oracle.csv")

    assert oracle.traits == {GORE, DRUGS}
    assert ask(oracle, "Saw", 2004, GORE, DRUGS).violated == (GORE,)
    assert not ask(oracle, "Up", None, DRUGS).known


def test_a_table_may_be_parquet_in_which_every_row_has_every_trait(tmp_path):
    datasets = pytest.importorskip("datasets")
    rows = [
        {**SAW, "risk": {GORE: 1.0, DRUGS: None}},
        {"title": "Up", "year": 2009, "risk": {GORE: 0.0, DRUGS: 0.1}},
    ]
    datasets.Dataset.from_list(rows).to_parquet(tmp_path / "oracle.parquet")
    oracle = TableOracle(path=tmp_path / "oracle.parquet")

    assert oracle.traits == {GORE, DRUGS}
    assert ask(oracle, "Saw", 2004, GORE).violated == (GORE,)
    assert not ask(oracle, "Saw", 2004, DRUGS).known


# --- oracle files ------------------------------------------------------------------------------


@pytest.fixture
def oracle_file(tmp_path):
    """Write titles with their risks to an oracle file, and make the oracle that reads it."""

    def make(risks, **options):
        titles = [
            OracleTitle(title, tuple(Evidence(*item, "scores", "seen") for item in each.items()))
            for title, each in risks.items()
        ]
        path = tmp_path / "oracle.arrow"
        write_oracle_file(path, titles, [GORE, DRUGS], {"sources": []}, overwrite=True)
        return TableOracle(path=path, **options)

    return make


def test_an_oracle_file_is_judged_like_a_table(oracle_file, table):
    risks = {
        Title("Saw", 2004): {GORE: 1.0, DRUGS: 0.1},
        Title("Up", 2009): {GORE: 0.0},
        Title("Funny Games", 1997): {GORE: 0.7},
        Title("Funny Games", 2007): {DRUGS: 0.66},
    }
    rows = [{"title": title.name, "year": title.year, "risk": each} for title, each in risks.items()]
    names = ("Saw", "The Saw!", "Up", "Funny Games", "Nobody's Film")
    questions = [
        Question(name, year, constraints)
        for name in names
        for year in range(1990, 2012)
        for constraints in ((), (GORE,), (DRUGS,), (GORE, DRUGS))
    ]
    file, other = oracle_file(risks), table(*rows)

    assert file.traits == other.traits == {GORE, DRUGS}
    for _ in range(2):
        assert file.judge(questions) == other.judge(questions)


@pytest.mark.parametrize("risk", [0.1, 0.3, 1 / 3, 0.55, 0.66, 2 / 3, 0.7, 0.9, 1.0])
def test_a_risk_of_an_oracle_file_reaches_the_same_threshold(oracle_file, risk):
    title = Title("Saw", 2004)

    verdict = ask(oracle_file({title: {GORE: risk}}, risk_threshold=risk), *title, GORE)
    assert verdict.violated == (GORE,)
    assert verdict.risks[GORE] == pytest.approx(risk, abs=1e-6)
    if risk < 1:
        assert not ask(oracle_file({title: {GORE: risk}}, risk_threshold=risk + 1e-5), *title, GORE).violated


def test_a_trait_that_an_oracle_file_does_not_have_is_an_error_with_the_near_miss(oracle_file):
    oracle = oracle_file({Title("Saw", 2004): {GORE: 1.0}})

    for name in ("Saw", "Nobody's Film"):
        with pytest.raises(UnknownNameError, match=r"unknown trait 'Anti-gore / squeemish'.*Did you mean"):
            ask(oracle, name, 2004, "Anti-gore / squeemish")


def test_an_oracle_file_that_is_none_is_named(tmp_path):
    (tmp_path / "oracle.arrow").write_text(json.dumps(SAW), encoding="utf-8")

    with pytest.raises(DataError, match=r"oracle\.arrow is not an oracle file"):
        _ = TableOracle(path=tmp_path / "oracle.arrow").traits


# --- what a verdict rests on -------------------------------------------------------------------


def test_a_table_explains_that_it_states_the_risk(table):
    oracle = table({**SAW, "risk": {GORE: 0.5, DRUGS: 0.9}})

    assert isinstance(oracle, Explaining)
    assert oracle.explain(Question("saw", 2005, (GORE, DRUGS))) == [
        Evidence(DRUGS, 0.9, "oracle.jsonl", "risk stated in the table"),
        Evidence(GORE, 0.5, "oracle.jsonl", "risk stated in the table"),
    ]


def test_an_oracle_file_explains_with_its_evidence(oracle_file):
    oracle = oracle_file({Title("Saw", 2004): {GORE: 0.5, DRUGS: 0.9}})

    assert oracle.explain(Question("saw", 2005, (GORE,))) == [Evidence(GORE, 0.5, "scores", "seen")]
    assert oracle.explain(Question("saw", 2005, ())) == []


def test_of_an_unknown_title_there_is_nothing_to_explain(table, oracle_file):
    title = Title("Saw", 2004)

    for oracle in (table({**SAW, "risk": {GORE: 0.5}}), oracle_file({title: {GORE: 0.5}})):
        assert oracle.explain(Question("Saw", 1990, (GORE,))) == []
        with pytest.raises(UnknownNameError):
            oracle.explain(Question("Saw", 1990, ("Gore",)))


# --- what the reference implementation's oracle missed ----------------------------------


@pytest.fixture
def recorded_oracle(recorded, table):
    fixture = recorded["fixture"]
    mapped = {identifier for _, _, identifier in fixture["mapping_oracle_normalised"]}
    rows = [
        {"title": name, "year": year, "risk": fixture["traits"][identifier]}
        for n, (name, year) in enumerate(fixture["catalog"])
        if (identifier := str(9_000_000 + n)) in mapped & fixture["traits"].keys()
    ]
    return table(*rows)


def _constraints(sample):
    return tuple(trait for trait, active in sample["constraints"].items() if active)


def test_films_that_punctuation_or_an_article_made_unknown_are_found(recorded, recorded_oracle):
    missed = [
        sample
        for sample in recorded["oracle"]
        if sample["builder_mapping"]["imdb_id"] is None and sample["oracle_mapping"]["imdb_id"] is not None
    ]

    assert {sample["title"] for sample in missed} == {
        "Rosemary's Baby",
        "A Star Is Born",
        "The House of the Devil",
        "The Mandalorian",
        "10,000 BC",
    }
    for sample in missed:
        verdict = ask(recorded_oracle, sample["title"], sample["year"], *_constraints(sample))
        wanted = {text.partition(": risk=")[0] for text in sample["oracle_mapping"]["violations"]}
        assert set(verdict.violated) == wanted
        assert verdict.known


def test_verdicts_agree_with_the_recorded_ones_wherever_the_year_does(recorded, recorded_oracle):
    """With a year further off, the reference implementation took a film that agrees in the title alone."""
    years = {}
    for name, year in recorded["fixture"]["catalog"]:
        years.setdefault(name.lower(), []).append(year)
    other_films = set()
    for sample in recorded["oracle"]:
        title, year = sample["title"], sample["year"]
        verdict = ask(recorded_oracle, title, year, *_constraints(sample))
        wanted = {text.partition(": risk=")[0] for text in sample["oracle_mapping"]["violations"]}
        if min(abs(year - other) for other in years[title.lower()]) > 2:
            other_films.add((title, year))
            assert (verdict.known, verdict.violated) == (False, ())
        else:
            assert set(verdict.violated) == wanted, sample
    assert ("The Batman", 2005) in other_films


# --- what leaves it open ---------------------------------------------------------------------------


@pytest.mark.parametrize("risk", [0.34, 0.5, 0.65])
@pytest.mark.parametrize("kind", ["table", "oracle_file"])
def test_a_risk_in_the_open_band_is_unknown_with_its_evidence(request, table, oracle_file, risk, kind):
    title = Title("Scarface", 1983)
    if kind == "table":
        oracle = table({"title": title.name, "year": title.year, "risk": {GORE: risk}})
    else:
        oracle = oracle_file({title: {GORE: risk}})

    verdict = ask(oracle, *title, GORE)
    assert (verdict.known, verdict.violated, verdict.open) == (False, (), (GORE,))
    assert verdict.risks[GORE] == pytest.approx(risk)
    assert [piece.risk for piece in oracle.explain(Question(*title, (GORE,)))] == [pytest.approx(risk)]


@pytest.mark.parametrize(("risk", "violated"), [(0.33, ()), (0.66, (GORE,))])
def test_a_risk_outside_of_the_open_band_is_known(table, risk, violated):
    verdict = ask(table({"title": "Up", "year": 2009, "risk": {GORE: risk}}), "Up", 2009, GORE)

    assert (verdict.known, verdict.violated, verdict.open) == (True, violated, ())


def test_the_open_band_ends_at_the_threshold_and_can_be_closed(table):
    row = {"title": "Up", "year": 2009, "risk": {GORE: 0.5}}

    assert ask(table(row, risk_threshold=0.5), "Up", 2009, GORE).violated == (GORE,)
    closed = ask(table(row, open_from=1), "Up", 2009, GORE)
    assert (closed.known, closed.violated) == (True, ())
    assert ask(table(row, open_from=0.51), "Up", 2009, GORE).known


def test_what_one_constraint_leaves_open_another_may_still_forbid(table):
    oracle = table({"title": "Saw", "year": 2004, "risk": {GORE: 0.5, DRUGS: 1.0}})
    both = ask(oracle, "Saw", 2004, GORE, DRUGS)

    assert (both.known, both.violated, both.open) == (True, (DRUGS,), (GORE,))
    assert not ask(
        table({"title": "Up", "year": 2009, "risk": {GORE: 0.5, DRUGS: 0.0}}), "Up", 2009, GORE, DRUGS
    ).known


def test_of_two_entries_that_are_equally_near_the_higher_risk_counts_and_the_verdict_is_ambiguous(table):
    oracle = table(
        {"title": "It", "year": 2003, "risk": {GORE: 0.0}},
        {"title": "It", "year": 2005, "risk": {GORE: 0.9}},
    )

    between, exact = ask(oracle, "It", 2004, GORE), ask(oracle, "It", 2003, GORE)
    assert (between.violated, between.ambiguous) == ((GORE,), True)
    assert (exact.known, exact.violated, exact.ambiguous) == (True, (), False)


def test_an_entry_that_decides_counts_where_a_nearer_one_does_not(table):
    oracle = table(
        {"title": "It", "year": 2003, "risk": {GORE: 0.5}},
        {"title": "It", "year": 2005, "risk": {GORE: 0.9}},
    )

    verdict = ask(oracle, "It", 2003, GORE)
    assert (verdict.violated, verdict.ambiguous) == ((GORE,), True)
    details = [piece.detail for piece in oracle.explain(Question("It", 2003, (GORE,)))]
    assert details == ["risk stated in the table (about It (2005))"]
