"""Constraints in the user's words."""

import copy
import math
import pickle
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from saferec_core.data.traits import read_traits
from saferec_core.errors import ConfigError, DataError
from saferec_core.plugins.contracts.transform import Counted
from saferec_plugins.parsers.title_year import TitleYearParser
from saferec_plugins.transforms.inject_constraints import InjectConstraints, check_sentences

TRAITS = read_traits()
GORE, HORROR, NEEDLES = (
    "Anti-gore / squeamish",
    "Horror avoider (avoids scares & supernatural)",
    "Needle/medical procedure phobia",
)

OWN = """\
A:
  about: Things that begin with A.
  questions: [Does it begin with A?]
  explicit: [No apples please.]
  implied: [My aunt is allergic to apples]
B:
  about: Things that begin with B.
  questions: [Does it begin with B?]
  explicit: [I can't stand bees.]
  implied: [Bees once chased me.]
C:
  about: Things that begin with C.
  questions: [Does it begin with C?]
  explicit: ["Oh, and no cats.", Nothing with cats.]
  implied: ["Also, cats make me sneeze."]
"""


@pytest.fixture
def own(tmp_path):
    """Make the transform with the three traits above, whose only explicit sentences are known."""
    path = tmp_path / "own.yaml"
    path.write_text(OWN, encoding="utf-8")

    def make(**options):
        return InjectConstraints(traits_path=path, **{"wording": "explicit", **options})

    return make


def row(text, *constraints, name="r1", **columns):
    turns = [
        {"role": "user", "content": "Hi."},
        {"role": "assistant", "content": "What do you like?"},
        {"role": "user", "content": text},
    ]
    return {"id": name, "prompt": turns, "constraints": list(constraints), **columns}


def rows_out(transform, *rows):
    return [outcome for outcome in transform(list(rows)) if isinstance(outcome, dict)]


def said_in(transform, text, *constraints, **columns):
    """What the last turn becomes."""
    (result,) = rows_out(transform, row(text, *constraints, **columns))
    return result["prompt"][-1]["content"]


def counted(transform, *rows):
    return [outcome.what for outcome in transform(list(rows)) if isinstance(outcome, Counted)]


# --- what becomes of a row ---------------------------------------------------------------------


def test_the_sentence_goes_into_the_last_turn_of_the_user_and_beside_it(own):
    given_row = row("I like dramas.", "A", user="u7")
    before = copy.deepcopy(given_row)

    (result,) = rows_out(own(position="after"), given_row)

    assert result == {
        **before,
        "prompt": [*before["prompt"][:2], {"role": "user", "content": "I like dramas. No apples please."}],
        "constraints_stated": {"A": "No apples please."},
    }
    assert given_row == before


def test_a_turn_of_the_assistant_at_the_end_stays_as_it_is(own):
    given_row = row("I like dramas.", "A")
    given_row["prompt"].append({"role": "assistant", "content": "Let me think."})

    (result,) = rows_out(own(position="after"), given_row)

    assert [message["content"] for message in result["prompt"][2:]] == [
        "I like dramas. No apples please.",
        "Let me think.",
    ]


@pytest.mark.parametrize("constraints", [{"A": True, "B": None}, {"A": True}, ["A"]])
def test_constraints_are_read_in_every_form_and_written_as_a_list(own, constraints):
    (result,) = rows_out(own(), {**row("I like dramas."), "constraints": constraints})

    assert result["constraints"] == ["A"]


@pytest.mark.parametrize("constraints", [[], None, {}, {"A": None}])
def test_a_row_without_constraints_passes_unchanged_and_is_counted(own, constraints):
    given_row = {**row("I like dramas."), "constraints": constraints}

    assert list(own()([given_row])) == [given_row, Counted("without constraints")]


def test_a_prompt_that_is_one_bare_text_becomes_a_turn(own):
    (result,) = rows_out(own(position="after"), {"prompt": "I like dramas.", "constraints": ["A"]})

    assert result["prompt"] == [{"role": "user", "content": "I like dramas. No apples please."}]


def test_what_was_said_and_where_is_counted(own):
    assert sorted(counted(own(position="after"), row("I like dramas.", "A", "B"))) == [
        "position: after",
        "stated: A",
        "stated: B",
    ]
    assert counted(own(position="inside"), row("I like dramas.", "A"))[-1] == "position: after"
    assert counted(own(position="before"), row("", "A"))[-1] == "position: alone"
    assert counted(own(rate=0), row("I like dramas.", "A")) == ["unstated: A"]


# --- positions, worked by hand -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("position", "text", "result"),
    [
        ("before", "I like dramas.", "No apples please. I like dramas."),
        ("before", "  I like dramas.", "No apples please. I like dramas."),
        ("before", "- Alien\n- Heat", "No apples please.\n\n- Alien\n- Heat"),
        ("inside", "I like dramas. What is new?", "I like dramas. No apples please. What is new?"),
        ("inside", "I like dramas!  What is new?", "I like dramas! No apples please.  What is new?"),
        ("inside", "I like it.\n\nWhat is new?", "I like it. No apples please.\n\nWhat is new?"),
        ("inside", 'He said "Wow." I agree', 'He said "Wow." No apples please. I agree'),
        ("inside", "seen it. i want more", "seen it. No apples please. i want more"),
        ("inside", "I like dramas.", "I like dramas. No apples please."),
        ("inside", "i like dramas. what is new?", "i like dramas. what is new? No apples please."),
        ("after", "I like dramas.", "I like dramas. No apples please."),
        ("after", "I like dramas", "I like dramas. No apples please."),
        ("after", "I like dramas,\n", "I like dramas. No apples please."),
        ("after", "I like Heat (1995)", "I like Heat (1995). No apples please."),
        ("after", "I like Heat (1995) !", "I like Heat (1995) ! No apples please."),
        ("after", "Any ideas?", "Any ideas? No apples please."),
        ("after", 'It was "great!"', 'It was "great!" No apples please.'),
        ("after", "I like dramas :)", "I like dramas :) No apples please."),
        ("after", "I like dramas 😀", "I like dramas 😀 No apples please."),
        ("after", "I like dramas ❤️", "I like dramas ❤️ No apples please."),
        ("after", "I like:\n- Alien\n- Heat", "I like:\n- Alien\n- Heat\n\nNo apples please."),
        ("after", "-", "-. No apples please."),
        ("before", "", "No apples please."),
        ("inside", " \n", "No apples please."),
        ("after", "", "No apples please."),
    ],
)
def test_a_sentence_stands_before_inside_or_after_the_text(own, position, text, result):
    assert said_in(own(position=position), text, "A") == result


@pytest.mark.parametrize(
    "text",
    [
        "I liked Dr. Strangelove a lot",
        "I liked G.I. Jane a lot",
        "Tora! Tora! Tora! It is great",
        "I liked E.T. The ending was sad",  # rather no place than one inside a title
        "I liked Mamma Mia! Here We Go Again (2018) and such",
        "I liked Tora! Tora! Tora! (1970)",
        'I liked "Stop! Or My Mom Will Shoot" a lot',
        "I liked it (really! Not kidding)",
        "My list\n1. Alien\n2. Heat",
        "- I liked it. The ending was sad",
        "Well... maybe",
        "Any at all?",
    ],
)
def test_nothing_is_said_inside_titles_quotes_or_entries_of_a_list(own, text):
    assert counted(own(position="inside"), row(text, "A"))[-1] == "position: after"


def test_nothing_is_said_inside_a_title_that_the_sample_names(own):
    text = "I liked faster, pussycat! Kill! KILL! best. The rest was dull"
    seen = [["Faster, Pussycat! Kill! Kill!", 1965], ["Heat", None]]

    assert said_in(own(position="inside"), text, "A", seen_titles=seen) == (
        "I liked faster, pussycat! Kill! KILL! best. No apples please. The rest was dull"
    )


def test_nothing_is_said_inside_a_title_of_the_ground_truth(own):
    text = "I really liked Hot Shots! Part Deux"
    truth = [["Hot Shots! Part Deux", 1993]]

    stated = said_in(own(position="inside"), text, "A", groundtruth_with_release_year=truth)
    assert stated == f"{text}. No apples please."


def test_every_gap_between_two_sentences_is_used(own):
    transform = own(position="inside")
    text = "I like dramas. I like Heat. What is new?"

    results = {said_in(transform, text, "A", name=f"r{n}") for n in range(40)}

    assert results == {
        "I like dramas. No apples please. I like Heat. What is new?",
        "I like dramas. I like Heat. No apples please. What is new?",
    }


def test_a_sentence_of_ones_own_without_a_full_stop_gets_one_where_text_follows(own):
    assert said_in(own(wording="implied", position="before"), "Hi there.", "A") == (
        "My aunt is allergic to apples. Hi there."
    )
    assert said_in(own(wording="implied", position="after"), "Hi there.", "A") == (
        "Hi there. My aunt is allergic to apples"
    )


def test_no_message_begins_with_an_afterthought_unless_there_is_nothing_else(own):
    opened = {said_in(own(position="before"), "Hi.", "C", name=f"r{n}") for n in range(40)}
    added = {said_in(own(position="after"), "Hi.", "C", name=f"r{n}") for n in range(40)}

    assert opened == {"Nothing with cats. Hi."}
    assert added == {"Hi. Nothing with cats.", "Hi. Oh, and no cats."}
    assert said_in(own(position="before", wording="implied"), "Hi.", "C") == "Also, cats make me sneeze. Hi."


def test_two_sentences_are_joined_with_at_most_a_few_words(own):
    transform = own(position="after")

    results = {said_in(transform, "Hi.", "A", "B", name=f"r{n}") for n in range(300)}

    assert results == {
        f"Hi. {first} {link}{second}"
        for first, second, links in (
            ("No apples please.", "I can't stand bees.", ("", "Also, ", "And ", "Plus, ")),
            (
                "I can't stand bees.",
                "No apples please.",
                ("", "Also: ", "One more thing: ", "And one more thing: "),
            ),
        )
        for link in links
    }


def test_a_message_links_once_at_most():
    transform = InjectConstraints()
    names = list(TRAITS)
    link = re.compile(r"(?:Hi\.|[.!?]) (?:oh, |also|and |plus|one (?:more|request))", re.IGNORECASE)

    for n in range(400):
        text = said_in(transform, "Hi.", *names[n % 18 : n % 18 + 3], name=f"r{n}")
        assert len(link.findall(text)) <= 1, text


# --- shares ------------------------------------------------------------------------------------


def within_binomial_bounds(count, share, times=2000):
    """Whether *count* is within five standard deviations, which chance misses once in a million."""
    return abs(count - share * times) <= 5 * math.sqrt(share * (1 - share) * times)


@pytest.mark.parametrize("rate", [0, 0.5, 1])
def test_the_rate_is_the_share_of_samples_that_state_anything(rate):
    rows = [row("I like dramas.", GORE, HORROR, name=f"r{n}") for n in range(2000)]

    results = rows_out(InjectConstraints(rate=rate), *rows)

    assert within_binomial_bounds(sum("constraints_stated" in result for result in results), rate)
    for given_row, result in zip(rows, results, strict=True):
        if "constraints_stated" in result:
            assert result["constraints"] == [GORE, HORROR]
            assert "constraints_unstated" not in result
        else:
            assert result == {**given_row, "constraints": [], "constraints_unstated": [GORE, HORROR]}


def test_who_states_constraints_at_a_low_rate_also_does_at_a_higher_one():
    rows = [row("I like dramas.", GORE, name=f"r{n}") for n in range(300)]

    few, many = (rows_out(InjectConstraints(rate=rate), *rows) for rate in (0.2, 0.6))

    for less, more in zip(few, many, strict=True):
        assert "constraints_stated" not in less or less == more


@pytest.mark.parametrize("most", [1, 2, 3])
def test_at_most_so_many_traits_are_stated_and_the_rest_are_kept_aside(most):
    names = [GORE, HORROR, NEEDLES, "Happy-ending preference"]
    rows = [row("I like dramas.", *names, name=f"r{n}") for n in range(2000)]

    results = rows_out(InjectConstraints(max_traits=most), *rows)

    for result in results:
        assert len(result["constraints"]) == most
        assert sorted(result["constraints"] + result["constraints_unstated"]) == sorted(names)
        assert sorted(result["constraints_stated"]) == result["constraints"]
    for name in names:
        drawn = sum(name in result["constraints"] for result in results)
        assert within_binomial_bounds(drawn, most / 4)


def test_mixed_wordings_are_half_explicit_and_mixed_positions_a_third_each():
    rows = [row("I like dramas. What is new?", GORE, name=f"r{n}") for n in range(2000)]
    transform = InjectConstraints()

    explicit = [
        result["constraints_stated"][GORE] in TRAITS[GORE].explicit for result in rows_out(transform, *rows)
    ]
    positions = counted(transform, *rows)

    assert within_binomial_bounds(sum(explicit), 0.5)
    for position in ("before", "inside", "after"):
        assert within_binomial_bounds(positions.count(f"position: {position}"), 1 / 3)


@pytest.mark.parametrize("wording", ["explicit", "implied"])
def test_one_wording_alone_uses_its_sentences_alone(wording):
    rows = [row("I like dramas.", GORE, name=f"r{n}") for n in range(200)]

    results = rows_out(InjectConstraints(wording=wording, position="after"), *rows)

    assert {result["constraints_stated"][GORE] for result in results} == set(getattr(TRAITS[GORE], wording))


# --- nothing depends on the neighbors ---------------------------------------------------------

MANY = [
    row("I like dramas. What is new?", *constraints, name=f"r{n}")
    for n, constraints in enumerate([(GORE,), (), (HORROR, NEEDLES), (GORE, HORROR, NEEDLES)] * 6)
]


@settings(max_examples=30)
@given(order=st.permutations(MANY), cut=st.integers(0, len(MANY)), seed=st.integers(0, 2**32))
def test_order_and_neighbours_change_nothing(order, cut, seed):
    transform = InjectConstraints(seed=seed, rate=0.8, max_traits=2)
    whole = {result["id"]: result for result in rows_out(transform, *MANY)}

    again = pickle.loads(pickle.dumps(transform))  # noqa: S301  (our own)
    parts = [*rows_out(transform, *order[:cut]), *rows_out(again, *order[cut:])]

    assert [result["id"] for result in parts] == [given_row["id"] for given_row in order]
    assert all(whole[result["id"]] == result for result in parts)


def test_another_seed_draws_other_sentences():
    rows = [row("I like dramas.", GORE, name=f"r{n}") for n in range(50)]

    assert rows_out(InjectConstraints(seed=1), *rows) != rows_out(InjectConstraints(seed=2), *rows)


# --- the sentences -----------------------------------------------------------------------------


@pytest.mark.parametrize("position", ["before", "inside", "after"])
def test_every_sentence_of_every_trait_comes_to_stand_in_a_prompt_word_for_word(position):
    seen = set()
    rows = [row("I like dramas. What is new?", trait, name=f"r{n}") for trait in TRAITS for n in range(200)]
    for result in rows_out(InjectConstraints(position=position), *rows):
        ((trait, sentence),) = result["constraints_stated"].items()
        text = result["prompt"][-1]["content"]
        assert sentence in text
        assert "I like dramas." in text
        assert text.endswith("What is new?") or position == "after"
        assert "  " not in text
        assert ".." not in text
        seen.add((trait, sentence))

    wanted = {(name, one) for name, trait in TRAITS.items() for one in [*trait.explicit, *trait.implied]}
    missing = {sentence for _, sentence in wanted - seen}
    assert all(re.match(r"Oh|Also|One request", sentence) for sentence in missing)
    assert not missing or position == "before"


def test_the_parser_of_lists_reads_no_title_out_of_any_sentence():
    check_sentences(TRAITS, TitleYearParser())

    parse = TitleYearParser()
    for trait in TRAITS.values():
        for sentence in [*trait.explicit, *trait.implied]:
            assert not parse(sentence).items


def test_a_sentence_that_names_a_title_with_its_year_is_refused(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(OWN.replace("Bees once chased me.", "Not like Candyman (1992)."), encoding="utf-8")

    with pytest.raises(ConfigError, match=r"B\.implied: .*must not name a title.*Candyman \(1992\)"):
        list(InjectConstraints(traits_path=path)([row("Hi.", "A")]))


# --- bad input ---------------------------------------------------------------------------------


def test_an_unknown_trait_is_an_error_of_the_row_with_near_misses(own):
    with pytest.raises(DataError, match=r"unknown trait 'Anti-gore / squeemish'. Did you mean 'Anti-gore"):
        list(InjectConstraints()([row("Hi.", "Anti-gore / squeemish")]))
    with pytest.raises(DataError, match=r"unknown trait 'X'.* one of 3 traits \(.*own\.yaml\)"):
        list(own(rate=0)([row("Hi.", "A", "X")]))


@pytest.mark.parametrize("rate", [0, 1])
def test_nothing_is_said_twice(own, rate):
    once = rows_out(own(rate=rate), row("Hi.", "A"))

    with pytest.raises(DataError, match=r"column 'constraints_(un)?stated' already exists.*only once"):
        list(own()(once))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"constraints": "A"}, "constraints must be a list, but is 'A'"),
        ({"constraints": [3]}, "constraints must be a list of trait names"),
        ({"prompt": []}, "prompt: expected a list of messages"),
        ({"prompt": [{"role": "user"}]}, "prompt: a message needs role and content"),
        ({"prompt": [{"role": "assistant", "content": "Hi."}]}, "expected a turn of the user"),
        ({"seen_titles": [["", 1999]]}, "seen_titles: expected a title"),
    ],
)
def test_a_row_that_cannot_be_used_is_told_why_before_anything_is_yielded(own, columns, message):
    outcomes = own()([{**row("Hi.", "A"), **columns}])

    with pytest.raises(DataError, match=message):
        next(outcomes)


@pytest.mark.parametrize(
    "options",
    [
        {"rate": 1.1},
        {"rate": -0.1},
        {"max_traits": 0},
        {"max_traits": 4},
        {"seed": -1},
        {"wording": "loud"},
        {"position": "top"},
        {"share": 1},
    ],
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValidationError):
        InjectConstraints(**options)


def test_a_missing_trait_file_stops_the_step_at_the_first_row(tmp_path):
    with pytest.raises(ConfigError, match=r"absent\.yaml cannot be read"):
        list(InjectConstraints(traits_path=tmp_path / "absent.yaml")([row("Hi.", "A")]))


def test_it_comes_in_through_the_entry_points(plugins):
    assert plugins.find(plugins.transforms, "inject-constraints").load() is InjectConstraints


def test_a_text_full_of_full_stops_takes_no_longer_than_its_length_warrants(own):
    long = "." * 50_000 + "A. " * 50_000 + "(" * 50_000

    assert said_in(own(position="inside"), long, "A").endswith(" No apples please.")
