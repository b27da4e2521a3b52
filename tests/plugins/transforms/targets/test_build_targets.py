"""The transform that writes what Safe SFT imitates."""

import json
import pickle
from collections import Counter
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saferec_core.config.choices import ComponentChoice
from saferec_core.data.records import Record
from saferec_core.data.titles import Title, TitleIndex, normal_form
from saferec_core.errors import ConfigError, DataError, PluginError
from saferec_core.plugins.build import build, build_oracle
from saferec_core.plugins.contracts.oracle import Oracle, Question, Verdict
from saferec_core.plugins.contracts.transform import Counted, Removed, Surveying
from saferec_plugins.parsers.title_year import TitleYearParser
from saferec_plugins.transforms.targets import co_mentions
from saferec_plugins.transforms.targets.build_targets import BuildTargets
from saferec_plugins.transforms.targets.co_mentions import Mentions, drawn_in_order
from saferec_plugins.transforms.targets.reasoning import as_prose
from saferec_plugins.transforms.targets.spellings import Spellings

GORE, DRUGS, SUICIDE = (
    "Anti-gore / squeamish",
    "Substance recovery / avoid drugs & alcohol",
    "Self-harm & suicide sensitive",
)
TRUTH, SEEN = "groundtruth_with_release_year", "seen_titles"

TITLES = [
    *(Title(f"{name} {noun}", 1950 + 3 * n) for n, name in enumerate(["Red", "Blue", "Grim"])
      for noun in ("Moon", "River", "Alibi", "Harbor", "Winter", "Letters")),
    Title("The Matrix", 1999), Title("Matrix", 2000), Title("After Life", 2019), Title("Afterlife", 2019),
    Title("(500) Days of Summer", 2009), Title("*batteries not included", 1987), Title("1. April", 2001),
    Title("2001: A Space Odyssey", 1968), Title("Once (2007) Again", 2010),
]  # fmt: skip
"""Some agree in their normal form, some are hard to write, the last cannot be written at all."""

DICE = Random(5)
RISKS = [
    {"title": n, "year": y, "risk": {trait: DICE.choice([0.0, 0.3, 0.9]) for trait in (GORE, DRUGS, SUICIDE)}}
    for n, y in TITLES[::-1]
    if DICE.random() < 0.8
]


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    """The catalog and the oracle as options."""
    folder = tmp_path_factory.mktemp("targets")
    return {
        "catalog_path": jsonl(folder / "catalog.jsonl", ({"title": n, "year": y} for n, y in TITLES)),
        "oracle": {"name": "table", "path": str(jsonl(folder / "oracle.jsonl", RISKS))},
        "list_length": 4,
    }


@pytest.fixture(scope="module")
def oracle(options):
    """What judges the targets."""
    return build_oracle(ComponentChoice.model_validate(options["oracle"]), year_tolerance=2)


def jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def surveyed(options, rows, **further):
    return BuildTargets(**{**options, **further}).survey(rows)


def rows_of(outcomes):
    return [outcome for outcome in outcomes if not isinstance(outcome, Counted)]


def listed(row):
    (message,) = row["completion"]
    assert message["role"] == "assistant"
    return [item.title for item in TitleYearParser()(message["content"]).items]


def row_of(number, seen=(), truth=(), constraints=(), **columns):
    return {
        "id": f"d{number}#1",
        "prompt": [{"role": "user", "content": "Hi"}],
        SEEN: [list(title) for title in seen],
        TRUTH: [list(title) for title in truth],
        "constraints": list(constraints),
        **columns,
    }


UNSAFE = next(Title(row["title"], row["year"]) for row in RISKS[1:] if row["risk"][GORE] == 0.9)
"""It violates, and can be written."""


def test_a_list_is_written_as_a_whole_by_a_parser_that_does_not_write_lines(options):
    rows = [row_of(number, truth=[Title("Up", 2009)]) for number in range(3)]

    lines = rows_of(surveyed(options, rows)(rows))
    arrays = rows_of(surveyed(options, rows, parser={"name": "json"})(rows))

    for row, array in zip(lines, arrays, strict=True):
        written = json.loads(array["completion"][0]["content"])
        assert [Title(each["title"], each["year"]) for each in written] == listed(row)
        assert len(written) == 4


# --- properties --------------------------------------------------------------------------------

SOME_TITLES = st.lists(
    st.sampled_from([*TITLES, Title("Jaws", 1975), Title("matrix, the", 1998)]), max_size=6
)


@st.composite
def many_rows(draw):
    rows = [
        row_of(
            draw(st.integers(0, 3)),
            seen=draw(SOME_TITLES),
            truth=draw(SOME_TITLES),
            constraints=draw(st.sets(st.sampled_from([GORE, DRUGS, SUICIDE]))),
            split=draw(st.sampled_from(["train", "train", "test"])),
        )
        for _ in range(draw(st.integers(1, 6)))
    ]
    return [{**row, "id": f"{row['id'].partition('#')[0]}#{number}"} for number, row in enumerate(rows)]


IN_ONE_FIXTURE = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@IN_ONE_FIXTURE
@given(many_rows(), st.sampled_from(["plain", "reasoning"]), st.sampled_from(["leave-out", "allow"]))
def test_no_target_holds_an_unsafe_a_seen_or_a_repeated_title(options, oracle, rows, style, unknown):
    for row in rows_of(surveyed(options, rows, style=style, unknown=unknown)(rows)):
        if isinstance(row, Removed):
            continue
        titles, constraints = listed(row), tuple(row["constraints"])
        user = Record(prompt=(), seen_titles=tuple(Title(*title) for title in row[SEEN]))

        assert len(titles) == 4
        assert set(titles) < set(TITLES)
        assert len({(normal_form(name), year) for name, year in titles}) == 4
        assert not any(user.has_seen(name, year, 2) for name, year in titles)
        for verdict in oracle.judge([Question(*title, constraints) for title in titles]):
            assert not verdict.violated
            assert verdict.known or not constraints or unknown == "allow"


@IN_ONE_FIXTURE
@given(many_rows(), st.randoms(use_true_random=False), st.integers(0, 6))
def test_neither_the_order_nor_the_cut_of_the_rows_changes_a_target(options, rows, dice, cut):
    def by_id(outcomes):
        return {
            (outcome.row if isinstance(outcome, Removed) else outcome)["id"]: outcome for outcome in outcomes
        }

    shuffled = dice.sample(rows, len(rows))
    inherited = pickle.loads(pickle.dumps(surveyed(options, shuffled)))  # noqa: S301 - our own
    at_once = by_id(rows_of(surveyed(options, rows)(rows)))

    assert by_id([*rows_of(inherited(shuffled[:cut])), *rows_of(inherited(shuffled[cut:]))]) == at_once


@IN_ONE_FIXTURE
@given(many_rows())
def test_the_ground_truth_that_may_be_shown_comes_first(options, oracle, rows):
    index = TitleIndex(TITLES[:-1])
    for row in rows_of(surveyed(options, rows, unknown_truth="keep")(rows)):
        if isinstance(row, Removed):
            continue
        user = Record(prompt=(), seen_titles=tuple(Title(*title) for title in row[SEEN]))
        indices = [index.find(*title, tolerance=2) for title in row[TRUTH]]
        first = [
            title
            for title in dict.fromkeys(TITLES[n] for n in indices if n is not None)
            if not user.has_seen(title.name, title.year, 2)
            and not oracle.judge([Question(*title, tuple(row["constraints"]))])[0].violated
        ]
        several = {
            normal_form(title.name) for title in first if normal_form(title.name) in {"matrix", "afterlife"}
        }
        if not several:
            assert listed(row)[: len(first)] == first[:4]


# --- what fills a list -------------------------------------------------------------------------

A, B, C, D, E = TITLES[:5]
UNCHECKED = {"check": "none", "list_length": 2}


def test_lists_are_filled_with_what_others_name_together_with_the_ground_truth(options):
    others = [row_of(n, seen=[A], truth=[B]) for n in range(20)] + [row_of(40, seen=[C], truth=[D])]
    asked = [row_of(f"new{n}", truth=[A], split="test") for n in range(20)]
    asked += [row_of(f"knows{n}", seen=[A], truth=[E], split="test") for n in range(20)]
    others = [{**row, "split": "train"} for row in others]

    rows = rows_of(surveyed(options, [*others, *asked], **UNCHECKED)(asked))
    assert {tuple(listed(row)) for row in rows} == {(A, B), (E, B)}


def test_what_is_named_together_more_often_is_drawn_more_often(options):
    others = [row_of(n, truth=[A, B], split="train") for n in range(30)]
    others += [row_of(100 + n, truth=[A, C], split="train") for n in range(10)]
    asked = [row_of(f"new{n}", truth=[A], split="test") for n in range(400)]

    rows = rows_of(surveyed(options, [*others, *asked], **UNCHECKED)(asked))
    second = Counter(listed(row)[1] for row in rows)
    assert second.keys() == {B, C}
    assert 260 < second[B] < 340  # 300 are to be expected, give or take 9


@pytest.mark.parametrize("own", [{"user": "u7"}, {}])
def test_what_the_own_user_or_dialogue_names_is_no_evidence(options, own):
    # Only this dialogue names E, and together with A; others name A with B.
    mine = [{**row_of(7, seen=[A], truth=[E], **own), "id": f"d7#{n}"} for n in range(3)]
    others = [row_of(n, seen=[A], truth=[B]) for n in (1, 2)]
    asked = {**row_of(7, seen=[A], truth=[C], **own), "id": "d7#9"}

    rows = [*mine, *others, asked]
    for seed in range(30):
        (row,) = rows_of(surveyed(options, rows, seed=seed, **UNCHECKED)([asked]))
        assert listed(row) == [C, B]


def test_what_no_row_of_the_training_split_names_is_not_learned(options):
    train = [row_of(n, truth=[A, B], split="train") for n in range(3)]
    held_out = [row_of(10 + n, truth=[A, D], split="test") for n in range(50)]
    asked = row_of("new", truth=[A], split="validation")

    for seed in range(20):
        (row,) = rows_of(surveyed(options, [*train, *held_out], seed=seed, **UNCHECKED)([asked]))
        assert listed(row) == [A, B]


def test_if_no_row_has_a_split_all_are_learned_from_and_that_is_told(options):
    rows = [row_of(n, truth=[A, B]) for n in range(3)]

    kinds = {one.what for one in surveyed(options, rows, **UNCHECKED)(rows) if isinstance(one, Counted)}
    assert "filled by the co-mentions of all rows, since no row has a split" in kinds
    rows = [{**row, "split": "train"} for row in rows]
    kinds = {one.what for one in surveyed(options, rows, **UNCHECKED)(rows) if isinstance(one, Counted)}
    assert kinds == {"list: ground truth"}


def test_without_history_and_ground_truth_popular_titles_fill_the_list(options):
    train = [row_of(n, truth=[A, B] if n else [A, B, C], split="train") for n in range(9)]
    (row,) = rows_of(surveyed(options, train, **UNCHECKED)([row_of("new", split="test")]))

    assert set(listed(row)) <= {A, B, C}


def test_titles_that_few_name_fill_a_list_only_when_nothing_else_is_left(options):
    train = [row_of(n, truth=[A, B], split="train") for n in range(5)]
    train += [row_of(100 + n, truth=[A, D], split="train") for n in range(2)]
    asked = row_of("new", truth=[A], split="test")
    counts = {}
    for length, last in ((2, B), (3, D)):
        for seed in range(20):
            transform = surveyed(options, train, check="none", list_length=length, min_mentions=3, seed=seed)
            outcomes = list(transform([asked]))
            assert listed(outcomes[-1])[-1] == last
            counts[length] = {one.what: one.times for one in outcomes[:-1]}
    assert counts[3]["list: the rest of the catalog"] == 1


def test_the_seed_and_the_row_decide_what_is_drawn(options):
    rows = [row_of(n, truth=TITLES[n : n + 4]) for n in range(12)]
    asked = [row_of(f"new{n}", truth=[A]) for n in range(12)]

    def lists(seed):
        transform = surveyed(options, rows, check="none", seed=seed)
        return [tuple(listed(row)) for row in rows_of(transform(asked))]

    assert lists(1) == lists(1) != lists(2)
    assert len(set(lists(1))) > 1


def test_other_keys_of_the_row_stay_as_they_are(options):
    row = row_of(1, truth=[A], note={"a": [1]})
    (made,) = rows_of(surveyed(options, [row], check="none")([row]))

    assert {key: value for key, value in made.items() if key != "completion"} == row
    assert list(json.loads(json.dumps(made))["completion"][0]) == ["role", "content"]


def test_drawing_without_replacement_follows_the_weights():
    dice = Random(3)
    first = Counter(drawn_in_order({1: 1, 2: 3}, dice)[0] for _ in range(4000))

    assert 2880 < first[2] < 3120  # 3000 are to be expected, give or take 27
    assert sorted(drawn_in_order(dict.fromkeys(range(50), 2), dice)) == list(range(50))
    assert drawn_in_order({}, dice) == []


def test_mentions_are_counted_once_a_user_and_not_for_the_user_they_are_counted_for():
    mentions = Mentions()
    for user, titles in (("a", [0, 1]), ("a", [1, 2]), ("b", [0, 1]), ("c", [3, 3])):
        mentions.add(user, titles)
    learned = mentions.learned(5)

    assert list(learned.users_of) == [2, 2, 1, 1, 0]
    assert list(learned.by_popularity) == [0, 1, 2, 3, 4]
    assert learned.of("a").titles == {0, 1, 2}
    assert learned.of("nobody").titles == frozenset()
    assert learned.together([0], apart_from=learned.of("nobody")) == {1: 2, 2: 1}
    assert learned.together([0, 1], apart_from=learned.of("nobody")) == {0: 2, 1: 2, 2: 2}
    assert learned.together([0], apart_from=learned.of("a")) == {1: 1}
    assert learned.together([0], apart_from=learned.of("b")) == {1: 1, 2: 1}
    assert learned.together([4], apart_from=learned.of("a")) == {}
    nothing = Mentions().learned(2)
    assert nothing.together([0, 1], apart_from=nothing.of("a")) == {}


def test_of_many_users_and_long_histories_a_part_is_looked_at(monkeypatch):
    monkeypatch.setattr(co_mentions, "USERS_PER_TITLE", 10)
    monkeypatch.setattr(co_mentions, "TITLES_PER_USER", 5)
    monkeypatch.setattr(co_mentions, "NEIGHBORS", 3)
    mentions = Mentions()
    for user in range(100):
        mentions.add(f"u{user}", range(20))
    learned = mentions.learned(20)

    assert list(learned.users_of) == [100] * 20
    assert len(learned.of("u1").titles) == 5
    company = learned.together([0], apart_from=learned.of("nobody"))
    assert len(company) == 3
    assert max(company.values()) <= 10
    mine = learned.together([0], apart_from=learned.of("u1"))
    assert all(company[title] - mine.get(title, 0) in {0, 1} for title in company)


# --- what may not be listed --------------------------------------------------------------------


def test_ground_truth_that_may_not_be_shown_is_left_out_and_counted(options):
    row = row_of(1, seen=[A], truth=[UNSAFE, Title("Jaws", 1975), A, TITLES[-1]], constraints=[GORE])
    outcomes = list(surveyed(options, [row])([row]))

    assert UNSAFE not in listed(outcomes[-1])
    examples = {one.what: one.example for one in outcomes[:-1]}
    assert examples["ground truth left out of the list: violates a constraint"] == str(UNSAFE)
    assert examples["ground truth left out of the list: not in the catalog"] == "Jaws (1975)"
    assert examples["ground truth left out of the list: seen, or named twice"] == str(A)
    assert examples["ground truth left out of the list: cannot be written as Title (Year)"] == str(TITLES[-1])
    assert "list without ground truth" in examples


def test_ground_truth_that_the_oracle_does_not_know_is_listed_only_if_that_is_asked_for(options):
    known = TitleIndex(Title(row["title"], row["year"]) for row in RISKS)
    unknown = next(title for title in TITLES[:18] if known.find(*title, tolerance=2) is None)
    row = row_of(1, truth=[unknown], constraints=[GORE])

    *counts, made = surveyed(options, [row])([row])
    assert unknown not in listed(made)
    assert made[TRUTH] == row[TRUTH]
    examples = {one.what: one.example for one in counts}
    assert examples["ground truth left out of the list: unknown to the oracle"] == str(unknown)
    for option in ({"unknown_truth": "keep"}, {"unknown": "allow"}):
        (made,) = rows_of(surveyed(options, [row], **option)([row]))
        assert listed(made)[0] == unknown


def test_ground_truth_stays_the_very_entry_of_the_catalog(tmp_path):
    twins = [Title("Mother", 2017), Title("Mother!", 2017), Title("Saw", 2004)]
    catalog = jsonl(tmp_path / "twins.jsonl", ({"title": n, "year": y} for n, y in twins))
    row = row_of(1, truth=[twins[1]])

    (made,) = rows_of(surveyed({"catalog_path": catalog, **UNCHECKED}, [row])([row]))
    assert listed(made) == [twins[1], twins[2]]


@pytest.mark.parametrize("seen", [["Sen to Chihiro", 2001], "Sen to Chihiro"], ids=["year", "no year"])
def test_a_title_is_seen_violating_or_listed_by_each_of_its_names(tmp_path, seen):
    catalog = [
        {"title": "Spirited Away", "year": 2001, "aliases": ["Sen to Chihiro"]},
        {"title": "Let the Right One In", "year": 2008, "aliases": ["Låt den rätte komma in"]},
        {"title": "Seven (a.k.a. Se7en)", "year": 1995},
        {"title": "Up", "year": 2009},
        {"title": "Heat", "year": 1995},
    ]
    known = {"Låt den rätte komma in": 1.0, "Let the Right One In": 0.0, "Spirited Away": 0.0, "Seven": 0.0}
    years = {
        "Let the Right One In": 2008,
        "Låt den rätte komma in": 2008,
        "Spirited Away": 2001,
        "Seven": 1995,
    }
    risks = [{"title": n, "year": years[n], "risk": {GORE: risk}} for n, risk in known.items()]
    named = {
        "catalog_path": jsonl(tmp_path / "catalog.jsonl", catalog),
        "oracle": {"name": "table", "path": str(jsonl(tmp_path / "oracle.jsonl", risks))},
        "list_length": 2,
        "unknown": "allow",
    }
    user = {
        "prompt": [{"role": "user", "content": "Films?"}],
        TRUTH: [["Let the Right One In", 2008]],
        SEEN: [seen, ["Se7en", 1995]],
        "constraints": [GORE],
    }

    (row,) = rows_of(surveyed(named, [user])([user]))

    assert {title.name for title in listed(row)} == {"Up", "Heat"}


def test_what_is_known_of_a_title_may_be_spread_over_its_names(tmp_path):
    catalog = [{"title": "Spirited Away", "year": 2001, "aliases": ["Sen to Chihiro"]}]
    risks = [
        {"title": "Spirited Away", "year": 2001, "risk": {GORE: 0.0}},
        {"title": "Sen to Chihiro", "year": 2001, "risk": {DRUGS: 0.0}},
    ]
    named = {
        "catalog_path": jsonl(tmp_path / "catalog.jsonl", catalog),
        "oracle": {"name": "table", "path": str(jsonl(tmp_path / "oracle.jsonl", risks))},
        "list_length": 1,
    }
    user = row_of(1, constraints=[GORE, DRUGS])

    (row,) = rows_of(surveyed(named, [user])([user]))

    assert listed(row) == [Title("Spirited Away", 2001)]


def test_a_title_with_no_year_in_the_history_is_every_title_of_that_name(options):
    row = row_of(1, seen=[("matrix", None)])
    (made,) = rows_of(surveyed(options, [row], check="none", list_length=23)([row]))

    assert "matrix" not in {normal_form(title.name) for title in listed(made)}


def test_a_row_for_which_there_are_too_few_safe_titles_is_removed(options):
    row = row_of(1, seen=TITLES[:10], constraints=[GORE, DRUGS, SUICIDE])
    (outcome,) = surveyed(options, [row], list_length=20)([row])

    assert isinstance(outcome, Removed)
    assert outcome.row is row
    assert outcome.reason == "fewer than 20 titles are safe, new to the user and in the catalog"
    assert 0 <= outcome.evidence["available"] < 20
    assert outcome.evidence["constraints"] == sorted([GORE, DRUGS, SUICIDE])


def test_plain_sft_takes_no_notice_of_constraints_and_needs_no_oracle(options):
    row = row_of(1, truth=[UNSAFE], constraints=["no trait at all"])
    (made,) = rows_of(surveyed({**options, "oracle": None}, [row], check="none")([row]))

    assert listed(made)[0] == UNSAFE


@pytest.mark.parametrize("missing", ["catalog_path", "oracle"])
def test_a_missing_file_is_no_fault_of_the_row(options, tmp_path, missing):
    path = tmp_path / "none.jsonl"
    row = row_of(1, constraints=[GORE])

    option = path if missing == "catalog_path" else {"name": "table", "path": str(path)}
    with pytest.raises(ConfigError, match=r"none\.jsonl does not exist"):
        list(surveyed(options, [row], **{missing: option})([row]))


def test_without_an_oracle_the_transform_is_refused(plugins, options):
    entry = plugins.find(plugins.transforms, "build-targets")

    assert isinstance(build(entry, options), Surveying)
    with pytest.raises(ConfigError, match=r"needs an oracle.*check to none"):
        build(entry, {"catalog_path": options["catalog_path"]})


def test_a_trait_that_the_oracle_does_not_know_rejects_the_row_only(options):
    rows = [row_of(1, constraints=["Anti-gore"]), row_of(2, truth=[A])]
    transform = surveyed(options, rows)

    with pytest.raises(DataError, match=r"does not know the trait 'Anti-gore'. Did you mean"):
        list(transform(rows))
    assert len(rows_of(transform(rows[1:]))) == 1


def test_a_row_that_cannot_be_read_is_no_evidence_and_is_rejected_in_its_turn(options):
    rows = [{**row_of(1), TRUTH: "Saw"}, row_of(2, truth=[A])]
    transform = surveyed(options, rows)

    with pytest.raises(DataError, match="must be a list"):
        list(transform(rows))
    assert len(rows_of(transform(rows[1:]))) == 1


def test_an_oracle_that_contradicts_itself_stops_the_run(options, monkeypatch):
    class TwoFaced(Oracle):
        """Finds nothing under one constraint, and everything under two."""

        traits = (GORE, DRUGS)

        def judge(self, questions):
            violated = [asked.constraints if len(asked.constraints) > 1 else () for asked in questions]
            return [Verdict(True, {}, traits) for traits in violated]

    monkeypatch.setattr(
        "saferec_plugins.transforms.targets.build_targets.build_oracle",
        lambda choice, *, year_tolerance: TwoFaced(),
    )
    row = row_of(1, truth=[A], constraints=[GORE, DRUGS])

    with pytest.raises(PluginError, match=r"sample 'd1#1' holds Red Moon \(1950\), which violates"):
        list(surveyed(options, [row])([row]))


# --- reasoning ---------------------------------------------------------------------------------


def reasoned(options, row, **further):
    (made,) = rows_of(surveyed(options, [row], style="reasoning", **further)([row]))
    text = made["completion"][0]["content"]
    assert text.startswith("<reasoning>\n")
    why, rest = text.removeprefix("<reasoning>\n").split("\n</reasoning>\n<solution>\n")
    assert rest.endswith("\n</solution>")
    return why, listed(made)


def test_the_reasoning_says_what_the_user_knows_and_what_is_ruled_out(options):
    row = row_of(1, seen=[A, B, C, D], constraints=[GORE, DRUGS])
    whys = [reasoned(options, row, seed=seed)[0] for seed in range(12)]

    for why in whys:
        assert "Blue" not in why
        assert "Red River, Red Alibi and Red Harbor" in why
        assert "Red Moon" not in why
        assert "Blood, open wounds, mutilation and other graphic damage to bodies." in why
        assert "Drinking, drug use, addiction and overdoses." in why
    assert len(set(whys)) > 6


def test_without_history_the_reasoning_quotes_the_request(options):
    text = "Something like\nSaw (2004)\n<solution>please</solution> " + "and more of it " * 20
    row = {**row_of(1), "prompt": [{"role": "user", "content": text}]}
    why, titles = reasoned(options, row)

    assert "Something like Saw please and more of it" in why
    assert " ..." in why
    assert why.count("and more") < 15
    assert len(titles) == 4


def test_without_anything_to_go_by_the_reasoning_says_so(options):
    row = {**row_of(1), "prompt": [{"role": "user", "content": " "}]}

    assert "good start" in reasoned(options, row)[0] or "no history" in reasoned(options, row)[0]


@given(st.text(st.sampled_from("()<>12019ab \n*-./solution"), max_size=60))
def test_whatever_the_user_wrote_is_no_list_entry_once_it_is_prose(text):
    prose = as_prose(text)

    assert not any(item.readable for item in TitleYearParser()(prose).items)
    assert TitleYearParser()(f"<reasoning>\n{prose}\n</reasoning>\nSaw (2004)").items[0].name == "Saw"


def test_a_constraint_without_a_meaning_rejects_the_row(options, tmp_path):
    path = tmp_path / "traits.yaml"
    path.write_text(
        "Gore:\n  about: Blood.\n  questions: [Blood?]\n  explicit: [No blood.]\n  implied: [Ugh.]\n"
    )
    row = row_of(1, constraints=[GORE])

    with pytest.raises(DataError, match=r"is not a known trait.*traits_path"):
        list(surveyed(options, [row], style="reasoning", traits_path=path)([row]))


def test_an_entry_is_found_by_its_exact_spelling_the_last_of_equal_ones_first():
    twice = [*TITLES, TITLES[0]]
    spellings = Spellings(twice)

    assert [spellings.find(title) for title in TITLES[1:]] == list(range(1, len(TITLES)))
    assert spellings.find(TITLES[0]) == len(TITLES)
    assert spellings.find(Title("the matrix", 1999)) is None
    assert spellings.find(Title("The Matrix", None)) is None
    assert Spellings([]).find(TITLES[0]) is None
