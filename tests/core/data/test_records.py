"""Samples from files of several kinds, in one form."""

import json
from functools import partial

import pytest

from saferec_core.data.record_files import read_records
from saferec_core.data.records import Record, constraints_of, record_of
from saferec_core.data.titles import Title
from saferec_core.errors import DataError, PluginError
from saferec_core.plugins.contracts.transform import Removed, Transform, transformed

ROW = {
    "prompt": [{"role": "user", "content": "Films without gore?"}],
    "completion": [{"role": "assistant", "content": "Up (2009)"}],
    "groundtruth_with_release_year": [["Up", 2009], ["Coco", 2017]],
    "seen_titles": ["Saw (2004)", "Toy Story"],
    "constraints": ["squeamish", "no drugs"],
}


@pytest.fixture
def read(tmp_path):
    """Write rows to a JSONL file and read them as records."""

    def run(*rows, needs=None, transforms=(), limit=None):
        stages = [partial(transformed, transform) for transform in transforms]
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return read_records(path, needs=needs or {}, stages=stages, limit=limit)

    return run


def as_arrow(rows):
    """Give every row a struct of all traits, as a Parquet table of such rows has it."""
    traits = {trait for row in rows for trait in row["constraints"]}
    return [
        {
            **row,
            "constraints": {trait: True if trait in row["constraints"] else None for trait in traits},
            # Arrow knows no pair of text and number; the reference implementation has both as text.
            "groundtruth_with_release_year": [
                [name, str(year)] for name, year in row["groundtruth_with_release_year"]
            ],
        }
        for row in rows
    ]


def test_a_limit_counts_what_transforms_leave_and_ends_the_reading(read):
    class Odd(Transform):
        def __call__(self, rows):
            return (row if row["n"] % 2 else Removed(row, "even") for row in rows)

    rows = [ROW | {"n": n} for n in range(8)]

    assert [record.columns["n"] for record in read(*rows, limit=3)] == [0, 1, 2]
    assert [record.columns["n"] for record in read(*rows, transforms=[Odd()], limit=3)] == [1, 3, 5]
    assert len(read(*rows[:3], {"prompt": None}, limit=3)) == 3  # the broken row is not read


def test_a_row_becomes_a_record_in_one_form(read):
    [record] = read(ROW)

    assert record.prompt == [{"role": "user", "content": "Films without gore?"}]
    assert record.completion == [{"role": "assistant", "content": "Up (2009)"}]
    assert record.groundtruth == (Title("Up", 2009), Title("Coco", 2017))
    assert record.seen_titles == (Title("Saw", 2004), "Toy Story")
    assert record.constraints == ("no drugs", "squeamish")
    assert record.columns == ROW


@pytest.mark.parametrize("kind", ["parquet", "folder"])
def test_parquet_and_a_datasets_folder_give_the_records_that_jsonl_gives(read, tmp_path, kind):
    datasets = pytest.importorskip("datasets")
    rows = [ROW, {**ROW, "constraints": ["no drugs"], "seen_titles": []}]
    table = datasets.Dataset.from_list(as_arrow(rows))
    path = tmp_path / f"rows.{kind}"
    table.to_parquet(path) if kind == "parquet" else table.save_to_disk(path)

    from_file, wanted = read_records(path, needs={}), read(*rows)
    for name in ("prompt", "completion", "groundtruth", "seen_titles", "constraints"):
        assert [getattr(r, name) for r in from_file] == [getattr(r, name) for r in wanted]


def test_a_folder_with_several_splits_is_refused_with_their_names(tmp_path):
    datasets = pytest.importorskip("datasets")
    table = datasets.Dataset.from_list([{"prompt": "a"}])
    datasets.DatasetDict({"train": table, "test": table}).save_to_disk(tmp_path / "both")

    with pytest.raises(DataError, match=r"several splits \(train, test\); name the folder of one"):
        read_records(tmp_path / "both", needs={})


@pytest.mark.parametrize(
    ("constraints", "active"),
    [
        ({"a": True, "b": False}, ("a",)),
        ({"b": True, "a": True}, ("a", "b")),
        ({"a": None, "b": None}, ()),
        ({}, ()),
        (None, ()),
        ([], ()),
        (["b", "a", "b"], ("a", "b")),
    ],
)
def test_constraints_are_the_active_traits_whatever_they_are_written_as(read, constraints, active):
    [record] = read({**ROW, "constraints": constraints})

    assert record.constraints == active


def test_a_prompt_that_is_text_is_what_the_user_says(read):
    [record] = read({"prompt": "hi", "completion": "Up (2009)"})

    assert record.prompt == [{"role": "user", "content": "hi"}]
    assert record.completion == [{"role": "assistant", "content": "Up (2009)"}]


def test_pairs_are_read_by_name_where_they_have_names(read):
    [record] = read({**ROW, "groundtruth_with_release_year": [{"year": 2019, "title": "1917"}]})

    assert record.groundtruth == (Title("1917", 2019),)


@pytest.mark.parametrize("year", [2009, "2009", 2009.0, "2009.0", "2009,0"])
def test_a_year_may_have_come_through_a_table(read, year):
    [record] = read({**ROW, "groundtruth_with_release_year": [["Up", year]]})

    assert record.groundtruth == (Title("Up", 2009),)


@pytest.mark.parametrize(
    "entry",
    [["Up", None], {"title": "Up"}, {"title": "Up", "year": None}, ["Up", float("nan")], ["Up", ""]],
    ids=["pair", "no key", "object", "NaN", "empty"],
)
def test_a_year_of_ground_truth_may_be_unknown(entry):
    record = record_of({**ROW, "groundtruth_with_release_year": [entry, "Saw (2004)"]}, needs={})

    assert record.groundtruth == (Title("Up", None), Title("Saw", 2004))


def test_a_seen_title_without_a_year_matches_every_year_and_one_with_a_year_its_own():
    record = Record(prompt=[], seen_titles=(Title("Saw", 2004), "Toy Story"))

    assert record.has_seen("saw", 2006, 2)
    assert not record.has_seen("saw", 2007, 2)
    assert record.has_seen("Toy-Story", 1900, 0)
    assert not record.has_seen("Up", 2009, 2)


def test_a_missing_column_names_row_column_and_what_needs_it(read):
    rows = [ROW, {"prompt": "hi", "seen_titles": []}]

    with pytest.raises(DataError) as error:
        read(*rows, needs={"constraints": "reward 'safety'"})
    message = str(error.value)
    assert "rows.jsonl, row 2: column 'constraints' is missing; reward 'safety' needs it" in message
    assert message.endswith("Columns: prompt, seen_titles")


@pytest.mark.parametrize("name", ["Constraints", "SEEN_TITLES", "Prompt", "Groundtruth_With_Release_Year"])
def test_a_column_in_capitals_is_not_passed_over(read, name):
    row = {"prompt": "hi", name.lower(): ["gore"]}
    row[name] = row.pop(name.lower())

    with pytest.raises(DataError, match=f"row 1: column '{name}' must be called '{name.lower()}'; rename it"):
        read(row)


def test_a_column_with_nearly_the_name_of_a_missing_one_is_named(read):
    with pytest.raises(DataError, match=r"needs it\. Did you mean 'constraint'\?"):
        read({"prompt": "hi", "constraint": ["gore"]}, needs={"constraints": "reward 'safety'"})


@pytest.mark.parametrize("name", ["release_year", "releaseDate"])
def test_a_year_under_another_name_is_not_taken_for_an_unknown_one(read, name):
    with pytest.raises(DataError, match=f"the year of 'Saw' is called '{name}'; call it 'year'"):
        read({"prompt": "hi", "groundtruth_with_release_year": [{"title": "Saw", name: 2004}]})


@pytest.mark.parametrize(
    "entry",
    [
        {"title": "Saw (2004)", "release_date": "2004-10-29"},
        {"title": "Saw (2004)", "updated_at": "2026-01-01"},
    ],
    ids=["beside a year in the title", "of something else"],
)
def test_a_date_is_not_in_the_way_where_the_title_has_its_year(read, entry):
    (record,) = read({"prompt": "hi", "groundtruth_with_release_year": [entry]})

    assert record.groundtruth == (("Saw", 2004),)


def test_a_column_of_none_is_missing_but_an_empty_list_is_not(read):
    assert read({**ROW, "constraints": []}, needs={"constraints": "reward 'safety'"})
    with pytest.raises(DataError, match="'constraints' is missing"):
        read({**ROW, "constraints": None}, needs={"constraints": "reward 'safety'"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prompt": None}, "column 'prompt' is missing; every run needs it"),
        ({"prompt": []}, "prompt: expected a list of messages"),
        ({"prompt": 5}, "prompt: expected a list of messages"),
        ({"prompt": [{"role": "user"}]}, "a message needs role and content"),
        ({"prompt": [{"role": "user", "content": None}]}, "a message needs role and content"),
        ({"prompt": ["hi"]}, "a message needs role and content"),
        ({"completion": [{"content": "x"}]}, "completion: a message needs role and content"),
        ({"groundtruth_with_release_year": 5}, "groundtruth_with_release_year"),
        ({"groundtruth_with_release_year": "Saw"}, "groundtruth_with_release_year"),
        ({"groundtruth_with_release_year": [5]}, "[title, year]"),
        ({"groundtruth_with_release_year": ["tt0387564"]}, "[title, year]"),
        ({"groundtruth_with_release_year": [["Saw", 2004, 1]]}, "[title, year]"),
        ({"groundtruth_with_release_year": [["Saw", "2004a"]]}, "the year of 'Saw'"),
        ({"groundtruth_with_release_year": [["Saw", 2004.5]]}, "the year of 'Saw'"),
        ({"groundtruth_with_release_year": [[None, 2004]]}, "None"),
        ({"seen_titles": "Saw"}, "seen_titles"),
        ({"seen_titles": [None]}, "seen_titles"),
        ({"constraints": "squeamish"}, "constraints must be a list"),
        ({"constraints": 5}, "constraints must be a list"),
        ({"constraints": [None]}, "constraints must be a list of trait names"),
    ],
)
def test_a_row_that_is_not_what_was_wanted_is_named(read, change, message):
    with pytest.raises(DataError, match=r"rows\.jsonl, row 2") as error:
        read(ROW, {**ROW, **change})
    assert message in str(error.value)


def test_an_item_may_have_no_year(read):
    (record,) = read(
        {**ROW, "groundtruth_with_release_year": [["Portal", None], {"title": "Ico", "year": ""}]}
    )

    assert record.groundtruth == (Title("Portal", None), Title("Ico", None))
    assert record.truth_near("portal", 2007, 2) == [0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no records; expected at least one"),
        (b"\n\n", "holds no records; expected at least one"),
        (b'{"prompt": "a"}\n{"prompt": ', "line 2: not a JSON object"),
        (b'{"prompt": "a"}\n\n[1]\n', "line 3: expected an object, but got list"),
        ('{"prompt": "é"}'.encode("latin-1"), "not UTF-8 text"),
    ],
)
def test_a_file_that_is_not_what_was_wanted_is_named(tmp_path, content, message):
    (tmp_path / "rows.jsonl").write_bytes(content)

    with pytest.raises(DataError, match=r"rows\.jsonl") as error:
        read_records(tmp_path / "rows.jsonl", needs={})
    assert message in str(error.value)


def test_what_is_no_dataset_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere.* does not exist"):
        read_records(tmp_path / "nowhere", needs={})
    with pytest.raises(
        DataError, match=r"is not a folder that datasets wrote with save_to_disk; name a file$"
    ):
        read_records(tmp_path, needs={})


def test_a_mark_in_front_of_the_text_is_no_part_of_it(tmp_path):
    (tmp_path / "rows.jsonl").write_bytes(b"\xef\xbb\xbf" + json.dumps(ROW).encode())

    assert len(read_records(tmp_path / "rows.jsonl", needs={})) == 1


# --- transforms --------------------------------------------------------------------------------


class Upper(Transform):
    def __call__(self, rows):
        for row in rows:
            yield {**row, "prompt": row["prompt"].upper()}


class WithoutQuestions(Transform):
    def __call__(self, rows):
        return (row for row in rows if "?" not in row["prompt"])


class Broken(Transform):
    def __call__(self, rows):
        for row in rows:
            yield row["nothing"]


def test_transforms_are_applied_in_order_before_anything_is_checked(read):
    records = read({"prompt": "a"}, {"prompt": "b?"}, transforms=[WithoutQuestions(), Upper()])

    assert [record.prompt[0]["content"] for record in records] == ["A"]


def test_transforms_that_leave_nothing_are_told_as_no_records(read):
    with pytest.raises(DataError, match="no records are left by its transforms"):
        read({"prompt": "b?"}, transforms=[WithoutQuestions()])


def test_a_transform_that_fails_is_named(read):
    with pytest.raises(PluginError, match="transform 'Broken' failed: KeyError: 'nothing'"):
        read({"prompt": "a"}, transforms=[Broken()])


@pytest.mark.parametrize(
    "value",
    ["False", "false ", "0", "no", "", None, False, 0, 0.0, float("nan"), "NaN", "None"],
    ids=repr,
)
def test_a_trait_that_is_said_not_to_be_active_is_not(value):
    assert constraints_of({"constraints": {"gore": value, "drugs": True}}) == ("drugs",)


@pytest.mark.parametrize("value", ["True", "TRUE", "yes", "1", 1, 1.0, True], ids=repr)
def test_a_trait_that_is_said_to_be_active_is(value):
    assert constraints_of({"constraints": {"gore": value}}) == ("gore",)


def test_what_says_neither_is_refused_and_nan_in_place_of_traits_is_none():
    for value in ("maybe", 2, 0.5, ["yes"]):
        with pytest.raises(DataError, match="constraints: 'gore' must be true or false, but is"):
            constraints_of({"constraints": {"gore": value}})
    assert constraints_of({"constraints": float("nan")}) == ()


def test_ground_truth_that_repeats_a_title_counts_it_once(tmp_path):
    truth = [["Saw", 2004], ["Matrix, The", 1999], ["SAW", 2004], ["The Matrix", 1999], ["Saw", 2003]]
    row = {"prompt": "Hi", "groundtruth_with_release_year": truth}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row))

    (record,) = read_records(tmp_path / "rows.jsonl", needs={})

    assert record.groundtruth == (Title("Saw", 2004), Title("Matrix, The", 1999), Title("Saw", 2003))


@pytest.mark.parametrize(
    ("column", "cell", "read"),
    [
        ("groundtruth_with_release_year", '[["Saw", 2004]]', (Title("Saw", 2004),)),
        ("groundtruth_with_release_year", "", ()),
        ("groundtruth_with_release_year", [["Saw (2004)", 2004]], (Title("Saw", 2004),)),
        ("groundtruth_with_release_year", [["Saw (2004)", None]], (Title("Saw", 2004),)),
        ("groundtruth_with_release_year", [["Fantasia (2000)", 1999]], (Title("Fantasia (2000)", 1999),)),
        ("groundtruth_with_release_year", [["Saw", 0]], (Title("Saw", None),)),
        ("groundtruth_with_release_year", [["Saw", "NaN"]], (Title("Saw", None),)),
        ("groundtruth_with_release_year", ["Fawlty Towers (1975-1979)"], (Title("Fawlty Towers", 1975),)),
        ("groundtruth_with_release_year", [["Saw (2004)", 2004], ["Saw", 2004]], (Title("Saw", 2004),)),
        ("seen_titles", '["Saw (2004)", "Up"]', (Title("Saw", 2004), "Up")),
        ("seen_titles", [["Saw (2004)", None]], (Title("Saw", 2004),)),
        ("constraints", '["gore"]', ("gore",)),
        ("constraints", '{"gore": true, "fear": false}', ("gore",)),
        ("constraints", "", ()),
        ("constraints", [""], ()),
        ("constraints", [" gore ", ""], ("gore",)),
        ("constraints", {"gore": "on", "fear": "off"}, ("gore",)),
        ("constraints", {"gore": "Y", "fear": "n"}, ("gore",)),
        ("constraints", {"gore": "T", "fear": "f"}, ("gore",)),
        ("constraints", [{"key": "gore", "value": True}, {"key": "fear", "value": None}], ("gore",)),
        ("groundtruth_with_release_year", [{"key": "Saw", "value": 2004}], (Title("Saw", 2004),)),
        ("prompt", '[{"role": "user", "content": "hello"}]', [{"role": "user", "content": "hello"}]),
        ("completion", '[{"title": "Saw"}]', [{"role": "assistant", "content": '[{"title": "Saw"}]'}]),
        ("completion", "[{'title': 'Saw'}]", [{"role": "assistant", "content": "[{'title': 'Saw'}]"}]),
        ("prompt", '["a", "b"]', [{"role": "user", "content": '["a", "b"]'}]),
        ("prompt", '{"a": 1}', [{"role": "user", "content": '{"a": 1}'}]),
        ("prompt", "[]", [{"role": "user", "content": "[]"}]),
    ],
    ids=lambda value: value if isinstance(value, str) and value.islower() and value.isascii() else "case",
)  # fmt: skip
def test_cells_of_tables_mean_the_lists_that_they_hold_as_text(column, cell, read):
    record = record_of({"prompt": "hi", column: cell}, needs={})

    field = {"groundtruth_with_release_year": "groundtruth"}.get(column, column)
    assert getattr(record, field) == read


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("groundtruth_with_release_year", "[['Saw', 2004]]", "holds text that Python printed"),
        ("seen_titles", "('Saw', 'Up')", "seen_titles must be a list"),
        ("seen_titles", [""], "seen_titles: expected a title, but got ''"),
        (
            "constraints",
            "['gore']",
            r"constraints holds text that Python printed, \"\['gore'\]\"; write it as JSON",
        ),
        ("constraints", "{'gore': True}", "holds text that Python printed"),
        ("constraints", "gore", "constraints must be a list, but is 'gore'"),
        ("constraints", ["gore", None], "must be a list of trait names"),
        ("constraints", {"gore": "maybe"}, "'gore' must be true or false, but is 'maybe'"),
        ("constraints", "[" * 100_000 + "]" * 100_000, "constraints must be a list"),
        ("prompt", "[{'role': 'user', 'content': 'hi'}]", "prompt holds text that Python printed"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isidentifier() else "case",
)
def test_cells_that_hold_something_else_are_refused_with_the_cause(column, cell, message):
    with pytest.raises(DataError, match=message):
        record_of({"prompt": "hi", column: cell}, needs={})
