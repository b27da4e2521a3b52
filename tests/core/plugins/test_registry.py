"""Names and what they stand for."""

import sys

import pytest

from saferec_core.errors import NameTakenError, PluginError, UnknownNameError
from saferec_core.plugins.registry import Origin, Registry

ACME, GLOBEX = Origin("rewards", "acme", "1.0"), Origin("more", "globex", "2.1")


@pytest.fixture
def registry():
    registry = Registry("reward")
    with registry.offered_by(ACME):
        registry.add("short-titles", "acme_of_the_registry.rewards:Short", summary="Short titles.")
        registry.add("novelty", "acme_of_the_registry.rewards:Novelty", summary="New titles.")
    return registry


def test_what_was_added_is_found_with_who_offers_it(registry):
    entry = registry.get("novelty")

    assert (entry.kind, entry.reference, entry.origin) == (
        "reward",
        "acme_of_the_registry.rewards:Novelty",
        ACME,
    )
    assert str(entry.origin) == "acme 1.0 (entry point 'rewards')"


def test_adding_a_name_imports_nothing(registry):
    assert "acme_of_the_registry" not in sys.modules
    assert len(registry) == 2


def test_a_name_is_found_with_either_dash(registry):
    assert registry.get("short_titles") is registry.get("short-titles")


def test_entries_are_listed_by_name(registry):
    assert [entry.name for entry in registry] == ["novelty", "short-titles"]


def test_an_unknown_name_is_a_look_up_error_with_near_misses_and_all_there_is(registry):
    with pytest.raises(LookupError) as error:
        registry.get("noveltie")

    assert str(error.value) == (
        "unknown reward 'noveltie'. Did you mean 'novelty'? Available: novelty, short-titles."
    )


def test_a_name_unlike_all_others_has_no_near_miss(registry):
    with pytest.raises(UnknownNameError, match=r"unknown reward 'x'\. Available:"):
        registry.get("x")


def test_an_empty_registry_says_so():
    with pytest.raises(UnknownNameError, match="No oracle is available"):
        Registry("oracle").get("table")


def test_a_name_that_is_offered_twice_is_refused_to_whoever_asks_for_it_and_names_both_origins(registry):
    with registry.offered_by(GLOBEX):
        registry.add("novelty", "globex:Novelty", summary="")

    with pytest.raises(NameTakenError, match=r"acme 1\.0.*globex 2\.1"):
        registry.get("novelty")
    assert registry.get("short-titles").origin is ACME
    assert [entry.origin for entry in registry.conflicts()["novelty"]] == [ACME, GLOBEX]


def test_a_plugin_that_offers_a_name_twice_is_refused(registry):
    with registry.offered_by(ACME), pytest.raises(NameTakenError, match="offers reward 'novelty' twice"):
        registry.add("novelty", "acme:Novelty", summary="")


def test_what_is_withdrawn_leaves_the_rest(registry):
    with registry.offered_by(GLOBEX):
        registry.add("novelty", "globex:Novelty", summary="")
    withdrawn = registry.withdraw(GLOBEX)

    assert [entry.name for entry in withdrawn] == ["novelty"]
    assert registry.get("novelty").origin is ACME


@pytest.mark.parametrize("spelling", ["short_titles", "short-titles"])
def test_a_name_that_differs_in_its_dashes_alone_is_offered_twice(registry, spelling):
    with registry.offered_by(GLOBEX):
        registry.add(spelling, "globex:Short", summary="")

    with pytest.raises(NameTakenError, match="offered twice"):
        registry.get("short-titles")


@pytest.mark.parametrize(
    "name",
    ["", "Novelty", " novelty", "no velty", "../novelty", "no.velty", "no=velty", "--novelty", "3", "n" * 65],
    ids=["empty", "capital", "space", "two-words", "path", "dot", "equals", "flag", "number", "long"],
)
def test_a_malformed_name_is_refused_with_its_origin(registry, name):
    with registry.offered_by(GLOBEX), pytest.raises(PluginError, match=r"globex 2\.1.*malformed name"):
        registry.add(name, "globex:Novelty", summary="")


def test_a_reference_without_an_attribute_is_refused(registry):
    with registry.offered_by(GLOBEX), pytest.raises(PluginError, match="expected 'package"):
        registry.add("other", "globex.rewards", summary="")


def test_nothing_is_added_outside_of_a_registration_hook(registry):
    with pytest.raises(PluginError, match="outside a registration hook"):
        registry.add("late", "acme:Late", summary="")


@pytest.mark.parametrize("reference", ["nowhere.to_be_found:X", "saferec_core.plugins.registry:Nothing"])
def test_what_cannot_be_loaded_names_the_component_and_its_plugin(registry, reference):
    with registry.offered_by(GLOBEX):
        registry.add("gone", reference, summary="")

    with pytest.raises(PluginError, match=r"reward 'gone' of globex 2\.1 .*cannot be loaded from"):
        registry.get("gone").load()
