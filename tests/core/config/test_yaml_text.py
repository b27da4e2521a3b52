"""YAML that people write, and what is wrong with it that YAML would not say."""

from itertools import pairwise

import pytest
import yaml

from saferec_core.config.yaml_text import read_yaml


@pytest.mark.parametrize(
    "text", ["a: {b: 1, c: 2, b: 3}", "- {x: 1, x: 1}", "a: 1\n'a': 2"], ids=["deep", "in a list", "quoted"]
)
def test_a_key_that_occurs_twice_is_refused_wherever_it_is(text):
    with pytest.raises(yaml.YAMLError, match="occurs twice"):
        read_yaml(text)


def test_keys_that_are_merged_may_be_overridden():
    assert read_yaml("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}")["b"] == {"x": 1, "y": 3}


def test_aliases_of_aliases_are_looked_at_once_each():
    names = "abcdefghijklmnopqrstuvwxyz"
    lines = [f"{name}: &{name} [{', '.join([f'*{below}'] * 9)}]" for below, name in pairwise(names)]

    assert read_yaml("\n".join(["a: &a [x]", *lines]))["a"] == ["x"]


def test_an_empty_document_holds_nothing():
    assert read_yaml("") is None
    assert read_yaml("# only a comment") is None
