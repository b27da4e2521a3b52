"""What a question holds beside the title: constraints with a value, and columns of the record."""

import pickle

import pytest

from saferec_core.plugins.contracts.parameters import Parameter, ParameterTraits
from saferec_core.plugins.contracts.record_columns import NO_COLUMNS, RecordColumns

LANGUAGE = Parameter("language", str, example="fr")
MAX_RUNTIME = Parameter("max_runtime", int, example=120)


@pytest.mark.parametrize(
    ("constraint", "value"),
    [
        ("max_runtime=97", 97),
        ("max_runtime=0097", None),
        ("max_runtime=", None),
        ("max_runtime", None),
        ("max_runtime=9=7", None),
        ("min_runtime=97", None),
    ],
    ids=["a number", "another spelling", "no value", "no sign", "two signs", "another name"],
)
def test_a_constraint_carries_a_value_in_one_spelling(constraint, value):
    assert MAX_RUNTIME.value(constraint) == value


def test_what_is_written_is_read_again():
    assert MAX_RUNTIME.constraint(97) == "max_runtime=97"
    assert LANGUAGE.value(LANGUAGE.constraint("pt=BR")) == "pt=BR"


def test_traits_with_values_answer_in_and_list_an_example_of_each():
    traits = ParameterTraits(MAX_RUNTIME, LANGUAGE, plain=("gore",))

    assert [*traits] == ["gore", "max_runtime=120", "language=fr"]
    assert len(traits) == 3
    assert "language=de" in traits
    assert "gore" in traits
    assert "max_runtime=de" not in traits
    assert 97 not in traits


def test_columns_are_equal_where_what_they_hold_is_and_cannot_be_changed():
    row = {"age": 12, "likes": ["a", "b"], "home": {"country": "fr"}}
    columns = RecordColumns(row)
    row["likes"].append("c")

    assert columns == RecordColumns({"home": {"country": "fr"}, "likes": ("a", "b"), "age": 12})
    assert len({columns, RecordColumns({"age": 12, "likes": ["a", "b"], "home": {"country": "fr"}})}) == 1
    assert columns["likes"] == ("a", "b")
    assert columns["home"]["country"] == "fr"
    with pytest.raises(TypeError):
        columns["age"] = 13


def test_columns_survive_pickling_and_can_be_narrowed():
    columns = RecordColumns({"age": 12, "likes": ["a"]})

    assert pickle.loads(pickle.dumps(columns)) == columns  # noqa: S301 - written a moment ago
    assert columns.only(("age",)) == {"age": 12}
    assert columns.only(()) == NO_COLUMNS
