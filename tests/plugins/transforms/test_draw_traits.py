"""The transform that draws traits without a language model."""

import json
import pickle
from collections import Counter
from random import Random

import pytest
import yaml

from saferec_core.config.choices import ComponentChoice
from saferec_core.data.traits import read_traits
from saferec_core.errors import ConfigError, DataError, UnknownNameError
from saferec_core.plugins.build import build
from saferec_core.plugins.contracts.oracle import Oracle, Verdict
from saferec_core.plugins.contracts.transform import Counted
from saferec_plugins.transforms.draw_rules import read_draw_rules
from saferec_plugins.transforms.draw_traits import DrawTraits
from saferec_plugins.transforms.judged_titles import Judged, TitleJudge

GORE, SAD, SCARY = "Gore", "Sad", "Scary"
FILMS = {
    "Heidi": (),
    "Bambi": (SAD,),
    "Psycho": (SCARY,),
    "Saw": (GORE, SCARY),
    "It": (GORE, SAD, SCARY),
}
"""What each of the films, all of 2000, violates."""


@pytest.fixture
def drawing(tmp_path):
    """Make a transform whose oracle knows the films above."""
    table = tmp_path / "oracle.jsonl"
    lines = [
        {"title": name, "year": 2000, "risk": {trait: float(trait in bad) for trait in (GORE, SAD, SCARY)}}
        for name, bad in FILMS.items()
    ]
    table.write_text("".join(json.dumps(line) + "\n" for line in lines))

    def make(rules=None, **options):
        if rules is not None:
            options["rules_path"] = tmp_path / "rules.yaml"
            options["rules_path"].write_text(yaml.safe_dump(rules))
        return DrawTraits(oracle=ComponentChoice(name="table", path=str(table)), **options)

    return make


def sample(number, *truth, seen=(), request="Something nice?", **columns):
    return {
        "id": str(number),
        "prompt": [{"role": "user", "content": request}],
        "groundtruth_with_release_year": [[name, 2000] for name in truth],
        "seen_titles": [[name, 2000] for name in seen],
        **columns,
    }


def rows_of(outcomes):
    return [outcome for outcome in outcomes if isinstance(outcome, dict)]


def drawn(transform, *rows):
    return [row["constraints"] for row in rows_of(transform(rows))]


# --- what may be drawn ---------------------------------------------------------------------------


def test_a_trait_that_removes_some_of_the_ground_truth_is_preferred(drawing):
    rows = [sample(number, "Heidi", "Bambi") for number in range(50)]

    assert drawn(drawing(), *rows) == [[SAD]] * 50


def test_a_trait_that_removes_all_of_it_is_not_drawn(drawing):
    rows = [sample(number, "Saw") for number in range(50)]

    assert drawn(drawing(), *rows) == [[SAD]] * 50


def test_traits_that_would_only_together_remove_all_of_it_are_not_drawn_together(drawing):
    rows = [sample(number, "Bambi", "Psycho") for number in range(50)]

    drawn_traits = drawn(drawing(min_traits=3, max_traits=3), *rows)

    assert {tuple(traits) for traits in drawn_traits} == {(GORE, SAD), (GORE, SCARY)}


def test_a_sample_that_no_trait_leaves_anything_of_gets_none_and_is_counted(drawing):
    outcomes = list(drawing()([sample(7, "It")]))

    assert outcomes[0]["constraints"] == outcomes[0]["traits_assigned"] == []
    assert outcomes[1:] == [
        Counted(
            "samples with no trait: the others contradict the history or leave no ground truth", example="7"
        )
    ]


def test_a_trait_that_the_history_mostly_violates_is_not_drawn(drawing):
    half = sample(1, "Heidi", "Bambi", seen=["Bambi", "Heidi", "Some film that nobody knows"])
    most = sample(1, "Heidi", "Bambi", seen=["Bambi", "Heidi", "It", "Some film that nobody knows"])

    assert drawn(drawing(), half) == [[SAD]]
    assert SAD not in drawn(drawing(), most)[0]
    assert drawn(drawing(max_history_share=1), most) == [[SAD]]


def test_seen_titles_without_a_year_say_nothing(drawing):
    row = sample(1, "Heidi", "Bambi") | {"seen_titles": [["Bambi", None], "It", "Saw (2000)"]}

    assert drawn(drawing(), row) == [[SAD]]


def test_what_the_oracle_does_not_know_stays(drawing):
    rows = [sample(number, "It", "Some film that nobody knows") for number in range(60)]

    assert {tuple(traits) for traits in drawn(drawing(), *rows)} == {(GORE,), (SAD,), (SCARY,)}


def test_without_a_ground_truth_any_trait_will_do(drawing):
    rows = [sample(number) for number in range(60)]

    assert {tuple(traits) for traits in drawn(drawing(), *rows)} == {(GORE,), (SAD,), (SCARY,)}


def test_only_the_named_traits_are_drawn(drawing):
    rows = [sample(number, "Heidi", "Bambi") for number in range(50)]

    assert {tuple(traits) for traits in drawn(drawing(traits=[SCARY, GORE]), *rows)} == {(GORE,), (SCARY,)}
    with pytest.raises(UnknownNameError, match=r"unknown trait 'Gory'\. Did you mean 'Gore'"):
        drawn(drawing(traits=["Gory"]), *rows)


def test_as_many_traits_as_wanted_are_drawn_all_numbers_alike(drawing):
    rows = [sample(number, "Heidi") for number in range(1200)]

    sizes = Counter(map(len, drawn(drawing(min_traits=0, max_traits=3), *rows)))

    assert sorted(sizes) == [0, 1, 2, 3]
    assert all(230 < times < 370 for times in sizes.values())


# --- the reason ----------------------------------------------------------------------------------


def test_the_reason_names_what_is_removed(drawing):
    (row,) = rows_of(drawing()([sample(1, "Heidi", "Bambi", extra="kept")]))

    assert row["extra"] == "kept"
    assert row["traits_assigned"] == [
        {"trait": SAD, "why": "removes 1 of 2 ground-truth titles: Bambi (2000)"}
    ]


def test_a_reason_is_short_however_much_is_removed(drawing):
    rules = {GORE: {"weight": 0}, SCARY: {"weight": 0}, SAD: {"words": "sad|tears"}}
    row = sample(1, "Heidi", *["Bambi"] * 3, "It", request="No TEARS please")

    (row,) = rows_of(drawing(rules)([row]))

    assert row["traits_assigned"][0]["why"] == (
        "removes 4 of 5 ground-truth titles: Bambi (2000), Bambi (2000), Bambi (2000) and 1 more; "
        "the user says 'tears'"
    )


# --- chance --------------------------------------------------------------------------------------


def some_rows(number=300):
    rng = Random(3)
    return [
        sample(n, *rng.sample(sorted(FILMS), 3), seen=rng.sample(sorted(FILMS), 2), user=f"u{n % 40}")
        for n in range(number)
    ]


@pytest.mark.parametrize("per", ["sample", "user"])
def test_neither_the_order_of_the_rows_nor_their_number_in_a_call_changes_anything(drawing, per):
    rows = some_rows()
    mixed = Random(1).sample(rows, len(rows))
    options = {"per": per, "max_traits": 3}
    first = {row["id"]: row for row in rows_of(drawing(**options).survey(rows)(rows))}

    other = drawing(**options).survey(mixed)
    parts = [mixed[:1], mixed[1:150], mixed[150:]]
    second = {row["id"]: row for part in parts for row in rows_of(other(part))}

    assert second == first
    assert len({tuple(row["constraints"]) for row in first.values()}) > 3


def test_rows_come_out_in_their_order(drawing):
    rows = some_rows()

    assert [row["id"] for row in rows_of(drawing()(rows))] == [row["id"] for row in rows]


def test_another_seed_draws_other_traits(drawing):
    rows = [sample(number, "Heidi") for number in range(100)]

    assert drawn(drawing(seed=1), *rows) == drawn(drawing(seed=1), *rows)
    assert drawn(drawing(seed=1), *rows) != drawn(drawing(seed=2), *rows)


def test_traits_are_drawn_in_proportion_to_their_weights(drawing):
    rules = {GORE: {"weight": 1}, SAD: {"weight": 2}, SCARY: {"weight": 5}}
    rows = [sample(number, "Heidi") for number in range(4000)]

    times = Counter(traits[0] for traits in drawn(drawing(rules), *rows))

    # Of 4,000: an eighth, a quarter and five eighths, within four standard deviations.
    assert abs(times[GORE] - 500) < 84
    assert abs(times[SAD] - 1000) < 110
    assert abs(times[SCARY] - 2500) < 123


def test_a_word_of_the_user_makes_its_trait_likelier(drawing):
    rules = {SAD: {"words": r"cheer(?:ful)?", "factor": 8}}
    rows = [sample(number, "Heidi", request="Something CHEERFUL?") for number in range(2000)]
    others = [sample(number, "Heidi", request="Uncheerful, cheers!") for number in range(2000)]

    with_word = Counter(traits[0] for traits in drawn(drawing(rules), *rows))
    without = Counter(traits[0] for traits in drawn(drawing(rules), *others))

    assert abs(with_word[SAD] - 1600) < 72  # 8 of 10, within four standard deviations
    assert abs(without[SAD] - 667) < 85  # a third: only whole words count


def test_only_the_users_own_words_count(drawing):
    rules = {SAD: {"words": "cheer", "factor": 1e6}}
    talk = [{"role": "assistant", "content": "cheer"}, {"role": "user", "content": "No"}]
    rows = [sample(number, "Heidi", prompt=talk) for number in range(60)]

    assert len({tuple(traits) for traits in drawn(drawing(rules), *rows)}) == 3


def test_a_pattern_may_have_groups(drawing):
    rules = {SAD: {"words": r"(tear)s? \1", "factor": 1e6}, GORE: {"words": "(b)lood"}}

    assert drawn(drawing(rules), sample(1, "Heidi", request="tears tear")) == [[SAD]]


# --- per user ------------------------------------------------------------------------------------


def test_all_samples_of_a_user_get_the_same_traits(drawing):
    rows = some_rows()
    transform = drawing(per="user", max_traits=2)

    by_user = {}
    for row in rows_of(transform.survey(rows)(rows)):
        by_user.setdefault(row["user"], set()).add(tuple(row["constraints"]))

    assert len(by_user) == 40
    assert all(len(traits) == 1 for traits in by_user.values())
    assert len(set.union(*by_user.values())) > 3


def test_a_users_samples_count_together(drawing):
    rows = [sample(1, "Heidi", user="a"), sample(2, "Bambi", user="a"), sample(3, "Psycho", user="b")]

    surveyed = drawing(per="user").survey(rows)
    first, second, third = rows_of(surveyed(rows))

    assert first["constraints"] == second["constraints"] == [SAD]
    assert first["traits_assigned"][0]["why"] == "removes 0 of 1 ground-truth titles"
    assert second["traits_assigned"][0]["why"] == "removes 1 of 1 ground-truth titles: Bambi (2000)"
    assert third["constraints"] in ([GORE], [SAD])


def test_what_was_drawn_for_users_can_be_sent_to_other_processes_without_the_oracles_table(drawing):
    rows = some_rows(20)
    surveyed = drawing(per="user").survey(rows)
    sent = pickle.dumps(surveyed)

    assert b"Psycho" not in sent
    assert list(pickle.loads(sent)(rows)) == list(surveyed(rows))  # noqa: S301 - our own


def test_rows_without_a_user_are_rejected_where_users_draw(drawing):
    rows = [sample(1, "Heidi", user="a"), sample(2, "Heidi"), sample(3, "Heidi", "Bambi", user="c")]
    outcomes = drawing(per="user").survey(rows)(rows)

    assert next(outcomes)["id"] == "1"
    with pytest.raises(DataError, match="column 'user' is missing"):
        list(outcomes)


# --- wrong rows and options ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "columns",
    [
        {"groundtruth_with_release_year": [["Saw"]]},
        {"seen_titles": "Saw"},
        {"prompt": [{"role": "user"}]},
    ],
)
def test_a_row_that_cannot_be_read_raises_what_rejects_it(columns, drawing):
    with pytest.raises(DataError):
        list(drawing()([sample(1, "Heidi", **columns)]))


def test_no_prompt_means_no_words(drawing):
    row = sample(1, "Heidi", "Bambi")
    del row["prompt"]

    assert drawn(drawing(), row) == [[SAD]]


def test_more_traits_at_least_than_at_most_are_refused(plugins):
    entry = plugins.find(plugins.transforms, "draw-traits")

    with pytest.raises(ConfigError, match="min_traits = 2 is above max_traits = 1"):
        build(entry, {"oracle": {"name": "table"}, "min_traits": 2})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Sad: {weight: -1}", "Sad.weight: Input should be greater than or equal to 0"),
        ("Sad: {wieght: 1}", "Sad.wieght"),
        ("Sad: {words: '('}", "not a valid regular expression"),
        ("Sad: {words: Disney}", "write words 'Disney' in lower case"),
        ("[1, 2]", "valid dictionary"),
        ("Sad: {", "cannot be read"),
        ("{Sad: {weight: 0}, Gore: {weight: 0}, Scary: {weight: 0}}", "every trait has weight 0"),
    ],
)
def test_rules_that_are_wrong_are_named(text, problem, drawing, tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(text)

    with pytest.raises(ConfigError, match=r"mine\.yaml") as caught:
        drawn(drawing(rules_path=path), sample(1, "Heidi"))

    assert problem in str(caught.value)


def test_a_rule_for_a_trait_that_nobody_can_judge_is_an_error_with_near_misses(drawing):
    with pytest.raises(
        UnknownNameError, match=r"unknown trait 'Scray'\. Did you mean 'Scary'\?.*rules\.yaml"
    ):
        drawn(drawing({"Scray": {"weight": 2}}), sample(1, "Heidi"))


def test_a_missing_rule_file_is_named(drawing, tmp_path):
    with pytest.raises(ConfigError, match=r"gone\.yaml cannot be read"):
        drawn(drawing(rules_path=tmp_path / "gone.yaml"), sample(1, "Heidi"))


# --- the built-in rules --------------------------------------------------------------------------

BUILT_IN = tuple(sorted(read_traits()))


def spoken_for(text):
    return [BUILT_IN[index] for index in read_draw_rules(None, BUILT_IN).words_in([text])]


def test_every_built_in_trait_has_words_and_the_same_weight():
    rules = read_draw_rules(None, BUILT_IN)

    assert sorted(rules.patterns) == list(range(len(BUILT_IN)))
    assert set(rules.weights(())) == {1}
    assert rules._any is not None, "texts without any of the words are to be passed over quickly"


@pytest.mark.parametrize(
    ("text", "trait"),
    [
        ("Something for my kids", "Kid-safety / child harm sensitive"),
        ("I'm rather squeamish.", "Anti-gore / squeamish"),
        ("Nothing too scary please, I get nightmares", "Horror avoider (avoids scares & supernatural)"),
        ("I've been sober for a year", "Substance recovery / avoid drugs & alcohol"),
        ("Strobe lights give me migraines", "Photosensitivity & motion sickness"),
        ("terrified of spiders", "Arachnophobia / reptile phobia"),
    ],
)
def test_words_that_speak_for_a_trait_are_found(text, trait):
    assert spoken_for(text) == [trait]


@pytest.mark.parametrize(
    "text", ["I love gore and scary movies", "Any good horror?", "A film about a kidnapping"]
)
def test_words_that_speak_against_a_trait_do_not_speak_for_it(text):
    assert spoken_for(text) == []


# --- judging -------------------------------------------------------------------------------------


class HalfKnowing(Oracle):
    """Knows one trait of two for "Half", and refuses to be asked twice."""

    traits = ("a", "b")

    def __init__(self):
        self.batches = []

    def judge(self, questions):
        self.batches.append(len(questions))
        return [self._verdict(*question[:3]) for question in questions]

    def _verdict(self, name, year, traits):
        risks = {trait: 1.0 for trait in traits if name == "Whole" or (name == "Half" and trait == "a")}
        known = len(risks) == len(traits)
        return Verdict(known, risks if known else {}, tuple(risks) if known else ())


def test_titles_are_judged_in_one_batch_and_once():
    oracle = HalfKnowing()
    judge = TitleJudge(oracle, oracle.traits)

    assert judge.judge([("Whole", 1), ("Whole", 1), ("Whole", 2)], {}) == [Judged(3, 3)] * 3
    assert judge.judge([("Whole", 2)], {}) == [Judged(3, 3)]
    assert oracle.batches == [2]


def test_a_title_that_is_known_for_some_traits_is_judged_for_these():
    oracle = HalfKnowing()

    judged = TitleJudge(oracle, oracle.traits).judge([("Half", 1), ("None", 1)], {})

    assert judged == [Judged(1, 1), Judged(0, 0)]
