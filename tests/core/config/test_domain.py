"""A domain file sets what differs between domains, and what is given beside it wins."""

import pytest

from saferec_core.config.domain import FILMS, read_domain
from saferec_core.config.schema import EvalConfig
from saferec_core.data.traits import read_traits, trait_of
from saferec_core.errors import ConfigError
from saferec_core.pipeline.config import ChainConfig


@pytest.fixture
def songs(tmp_path):
    path = tmp_path / "songs.yaml"
    path.write_text(
        "items: songs\nconsumed: heard\ntraits_path: traits.yaml\nparser: {name: json, year: complete}\n"
    )
    (tmp_path / "traits.yaml").write_text(
        "max_length:\n  about: Songs of more than {value} minutes.\n"
        "  questions: ['Longer than {value} minutes?']\n"
        "  explicit: ['At most {value} minutes.']\n  implied: ['I have {value} minutes.']\n"
    )
    return path


def chain(**settings):
    return ChainConfig(input="in.jsonl", output="out.jsonl", steps=[{"name": "split"}], **settings)


def test_every_step_gets_the_domain_unless_the_chain_says_otherwise(songs, tmp_path):
    handed_down = chain(domain_path=songs).handed_down

    assert (handed_down["items"], handed_down["entry"]) == ("songs", FILMS.entry)
    assert handed_down["consumed"] == "heard"
    assert handed_down["traits_path"] == tmp_path / "traits.yaml"
    assert handed_down["parser"].name == "json"
    assert chain(domain_path=songs, parser={"name": "title-year"}).handed_down["parser"].name == "title-year"
    assert chain().handed_down["items"] == "films and series"
    assert chain().handed_down["consumed"] == "seen"


def test_a_run_reads_lists_as_its_domain_writes_them(songs):
    parser = EvalConfig.model_validate({"data": {"domain_path": str(songs)}}).data.parser

    assert (parser.name, parser.options) == ("json", {"year": "complete"})


def test_the_sentences_of_a_constraint_with_a_value_name_the_value(songs):
    traits = read_traits(read_domain(songs).traits_path)

    trait = trait_of(traits, "max_length=4")

    assert trait is not None
    assert (trait.about, trait.explicit) == ("Songs of more than 4 minutes.", ["At most 4 minutes."])
    assert trait_of(traits, "min_length=4") is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [("genre: pop", "genre: Extra inputs"), ("[1]", "it: "), ("items: [", "cannot be read")],
    ids=["unknown key", "a list", "no YAML"],
)
def test_a_domain_file_that_is_not_one_is_named(tmp_path, text, problem):
    path = tmp_path / "bad.yaml"
    path.write_text(text)

    with pytest.raises(ConfigError, match=f"domain file {path}.*{problem}"):
        read_domain(path)
