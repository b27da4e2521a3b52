"""The built-in sources of evidence, each built as a run builds it."""

import pytest

from saferec_core.data.titles import Title
from saferec_core.data.traits import Trait, read_traits
from saferec_core.errors import ConfigError, DataError, UnknownNameError
from saferec_core.plugins.build import build

DOGS, GORE, DRUGS = "Animal lover", "Anti-gore", "Substance recovery"


def trait(*questions, **weights):
    return Trait(about="x", questions=list(questions), parent_guide=weights, explicit=["x"], implied=["x"])


TRAITS = {
    DOGS: trait("Does the dog die", "Is a cat hurt"),
    GORE: trait("Is it bloody?", violence_gore=1.0, frightening_intense=0.5),
    DRUGS: trait("Are drugs used?", alcohol_drugs_smoking=1.0),
}


@pytest.fixture
def source(plugins, tmp_path):
    """Build a source by its name."""

    def make(name, rules=None, **options):
        if rules is not None:
            options["rules_path"] = tmp_path / "rules.yaml"
            options["rules_path"].write_text(rules, encoding="utf-8")
        return build(plugins.find(plugins.evidence, name), {"path": tmp_path / "rows.csv", **options})

    return make


def read(source, *rows, traits=TRAITS):
    return list(source(iter(rows), traits))


def risks(source, row, traits=TRAITS):
    [entry] = read(source, {"title": "Saw", "year": "2004", **row}, traits=traits)
    return {finding.trait: pytest.approx(finding.risk) for finding in entry.findings}


def detail(source, row, traits=TRAITS):
    [entry] = read(source, {"title": "Saw", "year": "2004", **row}, traits=traits)
    [finding] = entry.findings
    return finding.detail


# --- titles ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "title"),
    [
        ({"title": "Saw", "year": "2004"}, Title("Saw", 2004)),
        ({"title": " Saw ", "year": 2004.0}, Title("Saw", 2004)),
        ({"title": "Saw (2004)"}, Title("Saw", 2004)),
        ({"title": "Saw (2004)", "year": None}, Title("Saw", 2004)),
        ({"title": "Babylon 5 (1994-1998)"}, Title("Babylon 5", 1994)),
        ({"title": "(500) Days of Summer (2009)"}, Title("(500) Days of Summer", 2009)),
        ({"title": "Saw (unrated)", "year": "2004"}, Title("Saw (unrated)", 2004)),
    ],
)
def test_a_title_has_its_year_in_a_column_or_behind_it(source, row, title):
    [entry] = read(source("keywords"), {"keywords": "", **row})

    assert (entry.title, entry.findings) == (title, ())


@pytest.mark.parametrize(
    "row", [{"title": "", "year": 2004}, {"title": "Saw"}, {"title": "Saw", "year": "x"}]
)
def test_a_row_without_a_title_or_a_year_is_a_data_error(source, row):
    with pytest.raises(DataError):
        read(source("keywords"), {"keywords": "", **row})


def test_titles_may_stand_in_columns_of_other_names(source):
    made = source("keywords", title_column="film", year_column="released")

    assert read(made, {"film": "Saw", "released": "2004", "keywords": ""})[0].title == Title("Saw", 2004)


# --- yes/no answers ----------------------------------------------------------------------------


def test_a_yes_is_a_risk_of_one_and_all_no_one_of_zero(source):
    row = {"Does the dog die?": "no", "is a cat hurt": "YES", "Is it bloody": "no", "Are drugs used?": ""}

    assert risks(source("warnings"), row) == {DOGS: 1, GORE: 0}


def test_the_question_that_was_answered_is_the_detail(source):
    row = {"Does the dog die?": "no", "Is a cat hurt?": "yes"}

    assert detail(source("warnings"), row) == "Is a cat hurt: yes"
    assert detail(source("warnings"), row | {"Is a cat hurt?": ""}) == "Does the dog die: no"


def test_answers_come_as_votes_in_rows_of_one_question(source):
    def rows(yes, no):
        return {"question": "Does the dog die?", "yes": yes, "no": no}

    assert risks(source("warnings"), rows("3", "1")) == {DOGS: 1}
    assert risks(source("warnings"), rows("1", "3")) == {DOGS: 0}
    assert risks(source("warnings"), rows("1", "1")) == {DOGS: 1}  # half of the votes are enough
    assert risks(source("warnings", min_share=0.6), rows("1", "1")) == {DOGS: 0}
    assert risks(source("warnings"), rows("0", "0")) == {}
    assert risks(source("warnings", min_votes=5), rows("3", "1")) == {}
    assert detail(source("warnings"), rows("3", "1")) == "Does the dog die: yes (3 of 4 votes)"


def test_answers_come_as_an_object(source):
    answers = {
        "Does the dog die": [0, 7],
        "Is a cat hurt": "no",
        "Is it bloody?": [9, 1],
        "Are drugs used": None,
    }

    assert risks(source("warnings"), {"answers": answers}) == {DOGS: 0, GORE: 1}
    assert risks(source("warnings"), {"answers": '{"Is it bloody?": "yes"}'}) == {GORE: 1}


@pytest.mark.parametrize("answers", [("yes", "no"), ("no", "yes")], ids=["yes first", "no first"])
def test_a_yes_counts_whatever_another_spelling_of_the_question_is_answered(source, answers):
    row = dict(zip(["Is it bloody?", "is it  bloody"], answers, strict=True))

    assert risks(source("warnings"), row) == {GORE: 1}


def test_a_question_of_no_trait_is_passed_over(source):
    assert risks(source("warnings"), {"Does somebody sneeze?": "very much"}) == {}


def test_a_source_may_ask_in_other_words(source, tmp_path):
    path = tmp_path / "questions.yaml"
    path.write_text(f"{GORE}: [gore, blood]\n", encoding="utf-8")
    made = source("warnings", questions_path=path)

    assert risks(made, {"Blood": "yes", "Does the dog die": "yes"}) == {GORE: 1}

    path.write_text("Anti-gorre: [gore]\n", encoding="utf-8")
    with pytest.raises(UnknownNameError, match=r"'Anti-gorre'. Did you mean 'Anti-gore'"):
        read(source("warnings", questions_path=path))
    path.write_text(f"{GORE}: gore\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"questions\.yaml: expected"):
        read(source("warnings", questions_path=path))


@pytest.mark.parametrize(
    "row",
    [
        {"Does the dog die": "perhaps"},
        {"question": "Does the dog die", "yes": "many", "no": "1"},
        {"question": "Does the dog die", "yes": "-1", "no": "1"},
        {"answers": "yes"},
        {"answers": {"Does the dog die": [1, 2, 3]}},
    ],
)
def test_an_answer_that_is_none_rejects_the_row(source, row):
    with pytest.raises(DataError):
        risks(source("warnings"), row)


# --- parental guide ----------------------------------------------------------------------------


def test_severities_are_weighed_by_the_trait(source):
    # Gore: weights 1 and 0.5, severities 3 and 1: (3 + 0.5) of at most 3 * 1.5. Drugs: 2 of 3.
    row = {"violence_gore": "3", "frightening_intense": "1", "alcohol_drugs_smoking": "2"}

    assert risks(source("parent-guide"), row) == {GORE: 3.5 / 4.5, DRUGS: 2 / 3}


def test_severities_may_be_words_under_the_names_of_imdb(source):
    row = {
        "Violence & Gore": "Severe",
        "Frightening & Intense Scenes": "mild",
        "Alcohol, Drugs & Smoking": "None",
    }

    assert risks(source("parent-guide"), row) == {GORE: 3.5 / 4.5, DRUGS: 0}


def test_severities_may_be_a_list_or_have_columns_of_their_own(source):
    assert risks(source("parent-guide"), {"severity": [0, 3, 0, 2, 1]}) == {GORE: 3.5 / 4.5, DRUGS: 2 / 3}
    assert risks(source("parent-guide", columns={"alcohol_drugs_smoking": "drugs"}), {"drugs": 3}) == {
        DRUGS: 1
    }


def test_a_guide_says_nothing_where_no_category_matters_or_one_is_not_known(source):
    row = {"violence_gore": "3", "frightening_intense": "", "alcohol_drugs_smoking": "2", "profanity": "3"}

    assert risks(source("parent-guide"), row) == {DRUGS: 2 / 3}  # not gore, and not the animal lover


def test_the_severities_are_the_detail(source):
    row = {"violence_gore": 3, "frightening_intense": 0.5}

    assert detail(source("parent-guide"), row) == "violence_gore Severe, frightening_intense 0.5 of 3"


@pytest.mark.parametrize("value", ["4", "-1", "Gruesome", True])
def test_a_severity_outside_of_the_scale_rejects_the_row(source, value):
    with pytest.raises(DataError, match="violence_gore"):
        risks(source("parent-guide"), {"violence_gore": value})


def test_a_column_that_is_named_but_not_there_rejects_the_row(source):
    with pytest.raises(DataError, match="'gore'"):
        risks(source("parent-guide", columns={"violence_gore": "gore"}), {"violence": 1})


# --- rating reasons ----------------------------------------------------------------------------

REASON_RULES = f"""
{GORE}:
  risk:
    0.3: violen
    0.9: [bloody, 'gor[ey]']
  silence: 0
{DRUGS}:
  risk: {{1.0: 'drug ?use'}}
  open: thematic
  silence: {{G: 0, PG: 0.1}}
"""


@pytest.fixture
def reasons(source):
    return source("rating-reasons", REASON_RULES)


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("Rated R for bloody violence and druguse", {GORE: 0.9, DRUGS: 1}),
        ("Rated R for violence", {GORE: 0.3}),
        ("Rated R for language", {GORE: 0}),
        ("Rated PG for mild language", {GORE: 0, DRUGS: 0.1}),
        ("Rated PG for thematic elements", {GORE: 0}),  # they leave open whether there are drugs
        ("Rated PG for thematic elements and drug use", {GORE: 0, DRUGS: 1}),
        ("Rated G", {GORE: 0, DRUGS: 0}),
        ("Rated R", {}),
        ("", {}),
        (None, {}),
    ],
)
def test_a_reason_is_read_by_rules_that_say_what_silence_means(reasons, reason, expected):
    assert risks(reasons, {"reason": reason}) == expected


def test_a_rating_column_goes_before_the_rating_in_the_reason(reasons):
    assert risks(reasons, {"rating": "G", "reason": ""}) == {GORE: 0, DRUGS: 0}
    assert risks(reasons, {"rating": "pg", "reason": "mild language"}) == {GORE: 0, DRUGS: 0.1}


def test_silence_says_nothing_of_titles_from_before_there_were_reasons(reasons):
    def of(year, reason):
        [entry] = read(reasons, {"title": "Old", "year": year, "reason": reason})
        return [finding.trait for finding in entry.findings]

    assert of(1989, "Rated G") == []
    assert of(1989, "Rated R for bloody images") == [GORE]
    assert of(1990, "Rated G") == [GORE, DRUGS]
    assert of("", "Rated G") == []
    assert of("", "Rated R for bloody images") == [GORE]


def test_the_words_and_their_clause_are_the_detail(reasons):
    def gore_in(reason):
        [entry] = read(reasons, {"title": "Saw", "year": 2004, "reason": reason})
        return next(finding.detail for finding in entry.findings if finding.trait == GORE)

    assert gore_in("Rated R for language, strong gory images, and nudity") == '"gory" in "strong gory images"'
    assert gore_in("Rated R for language") == 'nothing of the kind in "language"'
    assert gore_in("Rated G") == "rated G"
    # A rule may give a part of a word; the whole word is quoted.
    assert gore_in("Rated PG13 for some violence") == '"violence" in "some violence"'


def test_own_rules_for_a_trait_that_there_is_not_are_an_error(reasons):
    with pytest.raises(UnknownNameError, match=r"'Substance recovery'.*has a rule in .*rules\.yaml"):
        read(reasons, traits={GORE: TRAITS[GORE]})


BUILT_IN_GORE, TORTURE = "Anti-gore / squeamish", "Avoid torture & extreme violence"
HORROR = "Horror avoider (avoids scares & supernatural)"


@pytest.mark.parametrize(
    ("reason", "trait_name", "risk"),
    [
        ("Rated R for strong grisly violence and language", BUILT_IN_GORE, 1.0),
        ("Rated R for strong violence", BUILT_IN_GORE, 0.7),
        ("Rated R for strong bloody violence", BUILT_IN_GORE, 0.9),
        ("Rated R for strong language, some violence", BUILT_IN_GORE, 0.3),
        ("Rated R for strong sexuality and violence", BUILT_IN_GORE, 0.3),
        ("Rated PG13 for action violence", BUILT_IN_GORE, 0.1),
        ("Rated PG13 for language", BUILT_IN_GORE, 0.0),
        ("Rated PG for dental smoking", "Needle/medical procedure phobia", None),  # "incidental"
        ("Rated R for scenes of dental torture", "Needle/medical procedure phobia", 0.8),
        ("Rated PG13 for a birth scene", "Pregnancy/infant-loss sensitive", 1.0),
        ("Rated R for druguse", "Substance recovery / avoid drugs & alcohol", 1.0),
        ("Rated R for terrorist violence", "Horror avoider (avoids scares & supernatural)", 0.2),
        ("Rated R for terror", "Horror avoider (avoids scares & supernatural)", 1.0),
        ("Rated R for disturbing violent content", "Horror avoider (avoids scares & supernatural)", None),
        ("Rated R for violence", "Disaster/accident avoider", None),  # with guns, or without
        ("Rated R for language", "Disaster/accident avoider", 0.4),  # others find accidents in one of ten
        ("Rated G", "Disaster/accident avoider", 0.0),
        ("Rated R for extensive use of extremely explicit dialogue", TORTURE, 0.0),  # Clerks
        ("Rated R for extreme sports", TORTURE, 0.0),
        ("Rated R for extreme violence and gore", TORTURE, 1.0),
        ("Rated NC-17 for extremely graphic violence", TORTURE, 1.0),
        ("Rated R for strong and bloody violence throughout", TORTURE, 0.8),  # John Wick
        ("Rated R for strong, bloody violence", TORTURE, 0.8),
        ("Rated R for strong language and bloody images", TORTURE, 0.5),
        ("Rated R for strong and disturbing violence", BUILT_IN_GORE, 0.7),
        ("Rated R for strong sexual content including a graphic images", BUILT_IN_GORE, 0.0),
        ("Rated R for nudity with graphic images, and language", BUILT_IN_GORE, 0.0),
        ("Rated R for language, and graphic images of war", BUILT_IN_GORE, 0.8),
        ("Rated PG13 for intense epic battle sequences", BUILT_IN_GORE, 0.4),
        ("Rated PG13 for some violence and bloody images", HORROR, 0.5),  # Enola Holmes 2
        ("Rated PG13 for intense perilous sequences, some disturbing images", HORROR, 0.5),  # Gravity
        ("Rated R for strong gory violence", HORROR, 0.5),
        ("Rated R for bloody horror violence", HORROR, 1.0),
        ("Rated R for language and violence", "Sexual violence sensitive", 0.4),
        ("Rated PG13 for language", "Sexual violence sensitive", 0.0),
        ("Rated R for language", "Substance recovery / avoid drugs & alcohol", 0.4),
        ("Rated PG13 for language", "Substance recovery / avoid drugs & alcohol", 0.0),
        ("Rated R for language", "Hate speech / slur-sensitive", None),
        ("Rated G", "Hate speech / slur-sensitive", 0.0),
        ("Rated R for violence", "Animal lover (avoid animal harm/death)", None),
        ("Rated R for images of animal cruelty", "Animal lover (avoid animal harm/death)", 1.0),
    ],
)
def test_the_built_in_rules_read_the_phrases_of_reasons(source, reason, trait_name, risk):
    by_trait = risks(source("rating-reasons"), {"reason": reason}, traits=read_traits())

    assert by_trait.get(trait_name) == risk


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (f"{GORE}: {{risk: {{1.5: x}}}}", "1.5"),
        (f"{GORE}: {{risk: {{1.0: '('}}}}", "'\\('"),
        (f"{GORE}: {{risks: {{1.0: x}}}}", "risks"),
        (f"{GORE}: {{risk: {{}}}}", "risk"),
        ("- x", "the table"),
        ("{", "not valid YAML"),
    ],
)
def test_a_bad_rule_is_named_with_its_file_and_trait(source, rules, message):
    with pytest.raises(ConfigError, match=rf"(?s)rules\.yaml.*{message}"):
        read(source("rating-reasons", rules))


def test_rules_that_are_not_there_are_named(source, tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.yaml cannot be read"):
        read(source("scores", rules_path=tmp_path / "nowhere.yaml"))


# --- scores ------------------------------------------------------------------------------------

SCORE_RULES = f"""
{GORE}:
  scores:
    violence: {{0: 0, 6: 0.4, 9: 1.0}}
    horror: {{8: 0.7}}
  genres: {{Horror: 0.8}}
{DOGS}:
  scores: {{violence: {{0: 0, 1: null}}}}
"""


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"violence": "10"}, {GORE: 1.0}),
        ({"violence": "8.9"}, {GORE: 0.4}),
        ({"violence": "5"}, {GORE: 0.0}),
        ({"violence": "0"}, {GORE: 0.0, DOGS: 0.0}),
        ({"violence": ""}, {}),
        ({"horror": "7"}, {}),  # below the lowest step
        ({"violence": "6", "horror": "8"}, {GORE: 0.7}),
        ({"genre_2": "horror", "violence": "1"}, {GORE: 0.8}),
        ({"genres": "Drama|Horror"}, {GORE: 0.8}),
        ({"genres": ["Drama"]}, {}),
    ],
)
def test_the_highest_step_that_a_score_reaches_is_the_risk(source, row, expected):
    assert risks(source("scores", SCORE_RULES), row) == expected


def test_the_score_or_the_genre_is_the_detail(source):
    made = source("scores", SCORE_RULES)

    assert detail(made, {"violence": "9"}) == "violence 9 of 10"
    assert detail(made, {"violence": "6", "genre": "Horror"}) == "genre Horror"


@pytest.mark.parametrize("row", [{"violence": "11"}, {"violence": "high"}, {"genres": 3}])
def test_a_score_outside_of_the_scale_rejects_the_row(source, row):
    with pytest.raises(DataError):
        risks(source("scores", SCORE_RULES), row)


# --- keywords ----------------------------------------------------------------------------------

KEYWORD_RULES = f"""
{GORE}:
  risk: {{0.5: violence, 1.0: ['\\bgore\\b', '^blood$']}}
{DOGS}:
  risk: {{0.9: 'dead (dog|cat)'}}
"""


@pytest.mark.parametrize(
    ("keywords", "expected"),
    [
        ("blood|friendship", {GORE: 1}),
        ("blood test, violence", {GORE: 0.5}),
        ("Gore; Dead Cat", {GORE: 1, DOGS: 0.9}),
        (["gore"], {GORE: 1}),
        ("friendship", {}),
        ("", {}),
        (None, {}),
    ],
)
def test_a_keyword_is_a_warning_and_silence_says_nothing(source, keywords, expected):
    assert risks(source("keywords", KEYWORD_RULES), {"keywords": keywords}) == expected


def test_the_keywords_of_the_highest_risk_are_the_detail(source):
    made = source("keywords", KEYWORD_RULES, keywords_column="tags", separator="/")

    assert detail(made, {"tags": "violence/gore/blood"}) == 'keywords "gore", "blood"'


def test_a_table_without_the_column_is_told_apart_from_one_without_keywords(source):
    with pytest.raises(DataError, match=r"the column 'keywords' is missing; columns: title, year, tags"):
        risks(source("keywords", KEYWORD_RULES), {"tags": "gore"})


@pytest.mark.parametrize(
    ("keyword", "trait_name", "risk"),
    [
        ("dog", "Animal lover (avoid animal harm/death)", None),
        ("dead dog", "Animal lover (avoid animal harm/death)", 1.0),
        ("spelling bee", "Arachnophobia / reptile phobia", None),
        ("spiders", "Arachnophobia / reptile phobia", 1.0),
        ("great depression", "Mental health portrayal sensitive", None),
        ("environmental illness", "Mental health portrayal sensitive", None),
        ("suicide mission", "Self-harm & suicide sensitive", 0.5),
        ("miscarriage of justice", "Pregnancy/infant-loss sensitive", None),
        ("daredevil", "Horror avoider (avoids scares & supernatural)", None),
        ("cookie monster", "Horror avoider (avoids scares & supernatural)", None),
        ("heroine", "Substance recovery / avoid drugs & alcohol", None),
        ("happy ending", "Happy-ending preference", 0.0),
        ("sad ending", "Happy-ending preference", 1.0),
        ("grape", "Sexual violence sensitive", None),
        ("Children", "Sexual violence sensitive", 0.1),
        ("children", "Sexual violence sensitive", None),
        ("Children's", "Anti-gore / squeamish", 0.1),
        ("romantic comedy", "Avoid torture & extreme violence", 0.1),
        ("beheading", "Anti-gore / squeamish", 1.0),
        ("shootout", "Anti-gore / squeamish", 0.5),
        ("mafia war", "Avoid torture & extreme violence", 0.5),
        ("hitman", "Avoid torture & extreme violence", 0.5),
        ("white men", "Avoid torture & extreme violence", None),
    ],
)
def test_the_built_in_rules_know_what_keywords_mean(source, keyword, trait_name, risk):
    by_trait = risks(source("keywords"), {"keywords": [keyword]}, traits=read_traits())

    assert by_trait.get(trait_name) == risk


# --- the built-in tables -----------------------------------------------------------------------


def test_every_built_in_trait_has_rules_and_no_rule_is_for_another_trait(source):
    traits = set(read_traits())

    assert set(source("rating-reasons")._rules) == traits
    assert set(source("keywords")._rules) == traits
    assert set(source("scores")._rules) < traits


def test_the_questions_of_the_built_in_traits_are_asked_as_they_stand(source):
    traits = read_traits()
    row = {question: "no" for each in traits.values() for question in each.questions}

    assert risks(source("warnings"), row, traits=traits) == dict.fromkeys(traits, 0)


@pytest.mark.parametrize(
    ("keyword", "trait_name", "risk"),
    [
        ("animal horror", "Animal lover (avoid animal harm/death)", 0.5),  # Them!
        ("animal attack", "Animal lover (avoid animal harm/death)", 0.5),
        ("animal cruelty", "Animal lover (avoid animal harm/death)", 1.0),
        ("st. valentine's day massacre", BUILT_IN_GORE, 0.5),  # Some Like It Hot
        ("massacre", TORTURE, 0.5),
        ("torture", TORTURE, 1.0),
        ("Horror", HORROR, 1.0),  # a genre
        ("Horror", BUILT_IN_GORE, 0.5),
        ("blood", HORROR, 0.5),
        ("monster", HORROR, 0.5),
        ("alien abduction", "Kid-safety / child harm sensitive", None),
        ("abduction by aliens", "Kid-safety / child harm sensitive", None),
        ("child abduction", "Kid-safety / child harm sensitive", 1.0),
        ("doctor", "Medical/health trauma avoider", 0.5),
        ("hospital", "Medical/health trauma avoider", 1.0),
        ("paranoia", "Mental health portrayal sensitive", 0.5),
        ("nazi", "Hate speech / slur-sensitive", 0.5),
        ("racism", "Hate speech / slur-sensitive", 1.0),
        ("baby", "Pregnancy/infant-loss sensitive", 0.5),
        ("heartwarming", "Happy-ending preference", 0.5),  # Finding Neverland
        ("happy ending", "Happy-ending preference", 0.0),
        ("War", "Disaster/accident avoider", 0.9),
        ("slasher", "Photosensitivity & motion sickness", 0.5),
        ("jump scares", "Photosensitivity & motion sickness", 0.8),
        ("stalker", "Domestic abuse / stalking sensitive", 1.0),
        ("stalkers", "Domestic abuse / stalking sensitive", None),  # a role in The Running Man
        ("hostages", "Domestic abuse / stalking sensitive", 0.9),  # "held down, tied up or locked in"
    ],
)
def test_the_built_in_rules_read_keywords(source, keyword, trait_name, risk):
    by_trait = risks(source("keywords"), {"keywords": keyword}, traits=read_traits())

    assert by_trait.get(trait_name) == risk


# --- scales and blanks ---------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["7", 10, 3.5])
def test_a_parental_guide_of_another_scale_is_refused_unless_it_is_said(source, value):
    guide = source("parent-guide")
    rows = iter([{"title": "Saw", "year": 2004, "violence_gore": v} for v in (value, 2)])

    with pytest.raises(DataError, match=r"'violence_gore' must be 0\.\.3"):
        list(guide(rows, TRAITS))
    with pytest.raises(ConfigError, match=r"severities between 3 and 10.*highest: 10"):
        list(guide(rows, TRAITS))


def test_a_scale_that_is_said_is_brought_to_that_of_the_parental_guide(source):
    row = {"violence_gore": "10", "frightening_intense": 10}

    assert risks(source("parent-guide", highest=10), row) == {GORE: 1}
    with pytest.raises(DataError, match=r"must be 0\.\.10"):
        risks(source("parent-guide", highest=10), {"violence_gore": 11})


@pytest.mark.parametrize(
    "blank", ["", "nan", "NaN", None, float("nan")], ids=["empty", "nan", "NaN", "null", "float"]
)
def test_blanks_in_a_file_of_words_that_never_says_none_are_refused_unless_it_is_said_what_they_are(
    source, blank
):
    row = {"violence_gore": "Mild", "frightening_intense": blank}

    with pytest.raises(ConfigError, match="no None, which pandas reads as a blank"):
        risks(source("parent-guide"), row)
    assert risks(source("parent-guide", blank="unknown"), row) == {}
    assert risks(source("parent-guide", blank="none"), row) == {GORE: pytest.approx(1 / 4.5)}


def test_blanks_beside_the_word_none_or_numbers_are_not_known(source):
    assert risks(source("parent-guide"), {"violence_gore": "None", "frightening_intense": ""}) == {}
    assert risks(source("parent-guide"), {"violence_gore": 1, "frightening_intense": ""}) == {}


def test_votes_that_are_tied_are_taken_for_yes_and_noted(source):
    tied, decided = read(
        source("warnings"),
        {"title": "Saw", "year": 2004, "answers": {TRAITS[GORE].questions[0]: [2, 2]}},
        {"title": "Up", "year": 2009, "answers": {TRAITS[GORE].questions[0]: [1, 2]}},
    )

    assert [finding.risk for finding in tied.findings] == [1.0]
    assert tied.notes == ("votes for yes and no are tied, which counts as yes",)
    assert ([finding.risk for finding in decided.findings], decided.notes) == ([0.0], ())
