"""Automata of large catalogs are built once, and mapped from then on."""

import dataclasses

import numpy as np
import pytest
import torch

from saferec_core.data.catalog import Catalog
from saferec_core.data.titles import Title
from saferec_core.models.guided import kept_guide
from saferec_core.models.guided.allowed import Allowance
from saferec_core.models.guided.guide import build_guide
from saferec_core.models.guided.kept_guide import guide_of
from saferec_core.models.guided.rows import GuidedRows
from saferec_plugins.parsers.title_year import TitleYearParser
from tests.core.models.guided.conftest import TITLES

CATALOG = Catalog(TITLES)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Keep automata of the smallest catalogs too, in an empty folder."""
    monkeypatch.setattr(kept_guide, "_KEPT_FROM", 1)
    monkeypatch.setenv("SAFEREC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def builds(monkeypatch):
    """Return the catalogs for which an automaton was built."""
    made = []

    def building(tokenizer, parser, catalog, **shape):
        made.append(catalog)
        return build_guide(tokenizer, parser, catalog, **shape)

    monkeypatch.setattr(kept_guide, "build_guide", building)
    return made


def guide(tokenizer, *, catalog=CATALOG, parser=TitleYearParser(), num_ranks=3):  # noqa: B008 - frozen
    return guide_of(
        tokenizer, parser, catalog, num_ranks=num_ranks, end_ids=frozenset({tokenizer.eos_token_id})
    )


def drawn(guide, seed):
    """Draw a list as a policy with random logits does."""
    rows = GuidedRows(guide, [Allowance(((), ()), np.ones(len(TITLES), np.bool_), (3,))])
    generator = torch.Generator().manual_seed(seed)
    ids = []
    while not ids or ids[-1] not in guide.end_ids:
        token = rows.restrict(torch.randn(1, guide.vocabulary, generator=generator)).argmax(1)
        rows.advance(token)
        ids += token.tolist()
    return ids


def test_what_is_mapped_is_what_was_built(tokenizer, builds):
    mapped, again = guide(tokenizer), guide(tokenizer)
    built = build_guide(
        tokenizer, TitleYearParser(), CATALOG, num_ranks=3, end_ids=frozenset({tokenizer.eos_token_id})
    )

    assert len(builds) == 1
    for each in (mapped, again):
        for field in dataclasses.fields(built.edges):
            assert np.array_equal(getattr(each.edges, field.name), getattr(built.edges, field.name))
        for field in dataclasses.fields(built):
            if field.name != "edges":
                assert np.array_equal(getattr(each, field.name), getattr(built, field.name))
        assert [drawn(each, seed) for seed in range(5)] == [drawn(built, seed) for seed in range(5)]


def test_another_catalog_parser_or_length_has_an_automaton_of_its_own(tokenizer, builds):
    guide(tokenizer)
    guide(tokenizer, catalog=Catalog([*TITLES[:-1], Title("N", 1931)]))
    guide(tokenizer, catalog=Catalog(TITLES, aliases={1: ["The Hot One"]}))
    guide(tokenizer, catalog=Catalog(TITLES, year_tolerance=0))
    guide(tokenizer, parser=TitleYearParser(reasoning_tags=("inner_voice",)))
    guide(tokenizer, num_ranks=4)

    assert len(builds) == 6


def test_a_token_that_is_added_to_a_tokenizer_makes_another_automaton(tokenizer, builds):
    copy = type(tokenizer)(
        tokenizer_object=type(tokenizer.backend_tokenizer).from_str(tokenizer.backend_tokenizer.to_str()),
        eos_token=tokenizer.eos_token,
    )
    guide(tokenizer)
    copy.add_tokens(["Heat"])
    guide(copy)

    assert len(builds) == 2


def test_a_damaged_file_is_replaced(tokenizer, builds, cache):
    expected = drawn(guide(tokenizer), 0)
    (kept,) = cache.glob("guide-*.arrow")
    kept.write_bytes(kept.read_bytes()[:-100])

    assert drawn(guide(tokenizer), 0) == expected
    assert len(builds) == 2


def test_without_space_for_the_file_the_automaton_is_built_in_memory(tokenizer, monkeypatch, cache):
    cache.write_text("not a folder", encoding="utf-8")

    assert drawn(guide(tokenizer), 0)
    assert cache.read_text(encoding="utf-8") == "not a folder"


def test_a_parser_that_may_depend_on_anything_is_asked_every_time(tokenizer, builds, cache):
    class Own:
        def __call__(self, text, *, finished=True):
            return TitleYearParser()(text, finished=finished)

        def format(self, titles):
            return TitleYearParser().format(titles)

    guide(tokenizer, parser=Own())

    assert len(builds) == 1
    assert not cache.exists()
