"""Traits: the built-in twenty, and files of one's own."""

import json
import re
from itertools import combinations

import pytest

from saferec_core.data.traits import PARENT_GUIDE, Trait, read_traits, short_names
from saferec_core.errors import ConfigError
from tests.shared import SHARED

TRAITS = SHARED / "data" / "traits"

BUILT_IN = read_traits()
SENTENCES = [
    (name, sentence) for name, trait in BUILT_IN.items() for sentence in [*trait.explicit, *trait.implied]
]

DARK = """\
Afraid of the dark:
  about: Scenes in which it is too dark to see.
  questions: [Is most of it set at night?]
  parent_guide: {frightening_intense: 0.5}
  explicit: [Please nothing that plays in the dark.]
  implied: [I sleep with the lights on.]
"""


@pytest.fixture
def read(tmp_path):
    """Read traits out of a file with the given text."""

    def make(text):
        path = tmp_path / "own.yaml"
        path.write_text(text, encoding="utf-8")
        return read_traits(path)

    return make


def shared(name):
    path = TRAITS / name
    if not path.is_file():
        pytest.skip(f"the paper's traits are not beside the checkout ({path})")
    return json.loads(path.read_text(encoding="utf-8"))


# --- the built-in twenty -----------------------------------------------------------------------


def test_the_built_in_traits_are_those_of_the_document():
    names = [entry["trait"] for entry in shared("traits_warnings.json")]

    assert len(names) == 20
    assert sorted(BUILT_IN) == sorted(names)


def test_their_weights_are_those_of_the_document():
    content = shared("traits_with_imdb_parentguide_weights.json")
    categories = content["meta"]["imdb_parent_guide_categories"]

    assert len(categories) == len(PARENT_GUIDE)
    for entry in content["traits"]:
        weights = entry["imdb_parent_guide"]["weights"]
        assert BUILT_IN[entry["trait"]].weights == tuple(weights[category] for category in categories)
        assert 0 not in BUILT_IN[entry["trait"]].parent_guide.values()


def test_their_questions_are_in_words_of_our_own():
    theirs = {
        re.sub(r"\W+", " ", question).strip().casefold()
        for entry in shared("traits_warnings.json")
        for question in entry["avoid"]
    }

    for trait in BUILT_IN.values():
        for question in trait.questions:
            assert re.sub(r"\W+", " ", question).strip().casefold() not in theirs


def test_each_has_sentences_of_both_kinds_and_questions_for_a_yes_or_a_no():
    for trait in BUILT_IN.values():
        assert len(trait.explicit) >= 6
        assert len(trait.implied) >= 5
        for question in trait.questions:
            assert re.match(r"(Is|Are|Does|Do) .*\?$", question)


def test_no_sentence_stands_twice_nor_as_a_part_of_another():
    texts = [sentence.casefold() for _, sentence in SENTENCES]

    for one, other in combinations(texts, 2):
        assert one not in other
        assert other not in one


def test_no_sentence_names_a_trait_or_holds_brackets_or_digits():
    for name, sentence in SENTENCES:
        assert name.casefold() not in sentence.casefold()
        assert not re.search(r"[()\[\]<>\d]", sentence), sentence


def test_what_a_reader_does_to_the_built_in_traits_stays_with_that_reader():
    read_traits().clear()

    assert len(read_traits()) == len(BUILT_IN)


# --- files of one's own ------------------------------------------------------------------------


def test_a_file_of_ones_own_stands_in_place_of_the_built_in_traits(read):
    (trait,) = read(DARK).values()

    assert isinstance(trait, Trait)
    assert trait.about == "Scenes in which it is too dark to see."
    assert trait.weights == (0, 0, 0, 0, 0.5)


def test_a_missing_file_and_one_that_is_no_text_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"absent\.yaml cannot be read"):
        read_traits(tmp_path / "absent.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_traits(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"\xe9t\xe9: {}")
    with pytest.raises(ConfigError, match=r"latin\.yaml cannot be read"):
        read_traits(tmp_path / "latin.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"own\.yaml is empty; expected at least one trait"),
        ("# nothing yet\n", "is empty"),
        ("{}", "is empty"),
        ("A: [", r"own\.yaml is not valid YAML: .*line [12]"),
        ("- A\n- B\n", r"must hold NAME: FIELDS pairs, but holds \['A', 'B'\]"),
        ("3: {about: x}", "the name of a trait must be text, but is 3"),
        ("A: x", "A must hold about, questions, parent_guide, explicit, implied, but is 'x'"),
        ("A:\n", "A must hold .* but is None"),
        (DARK + DARK, "'Afraid of the dark' occurs twice"),
        (DARK + "  about: Night.\n", "'about' occurs twice"),
    ],
)
def test_what_is_no_file_of_traits_is_told_what_was_wanted(read, text, message):
    with pytest.raises(ConfigError, match=re.compile(message, re.DOTALL)):
        read(text)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("questions", "question", r"unknown key 'Afraid of the dark\.question'. Did you mean 'questions'\?"),
        ("questions", "question", r"own\.yaml: Afraid of the dark\.questions is missing"),
        ("[Is most of it set at night?]", "[]", r"\.questions: List should have at least 1 item"),
        ("[I sleep with the lights on.]", "[no]", r"\.implied\.0: .*valid string, but got False"),
        *(
            (
                "[I sleep with the lights on.]",
                f"['I sleep, {sign}']",
                rf"implied\.0: must not end with '{sign}'",
            )
            for sign in ",:-"
        ),
        ("[I sleep with the lights on.]", "[' ']", r"\.implied\.0: must be one line of text, but is ''"),
        ("[I sleep with the lights on.]", '["a\\nb"]', r"must be one line of text, but is 'a\\nb'"),
        (
            "frightening_intense",
            "frightening",
            r"unknown category 'frightening'. Did you mean 'frightening_in",
        ),
        ("0.5", "-0.5", r"\.parent_guide\.frightening_intense: .*greater than or equal to 0, but got -0\.5"),
        ("0.5", ".inf", r"\.frightening_intense: .*finite number, but got inf"),
        ("0.5", "much", r"\.frightening_intense: .*valid number.*but got 'much'"),
    ],
)
def test_a_trait_that_is_not_what_is_wanted_is_told_with_the_path_of_the_key(read, old, new, message):
    assert old in DARK

    with pytest.raises(ConfigError, match=message):
        read(DARK.replace(old, new))


def test_all_problems_of_a_file_are_told_at_once(read):
    with pytest.raises(ConfigError) as caught:
        read("A: {about: x}\nB: 1\n")

    assert len(str(caught.value).splitlines()) == 4  # three missing keys of A, and B


def test_a_short_name_leaves_out_what_stands_in_brackets_unless_two_traits_would_share_it():
    names = ["Horror avoider (scares)", "Animals (harm)", "Animals (death)", "Gore"]

    assert short_names(names) == {
        "Horror avoider (scares)": "Horror avoider",
        "Animals (harm)": "Animals (harm)",
        "Animals (death)": "Animals (death)",
        "Gore": "Gore",
    }
