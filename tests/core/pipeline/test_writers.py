"""A dataset written in three formats that say the same."""

import hashlib
import json

import pytest

from saferec_core.data.record_files import read_records
from saferec_core.data.rows import read_rows
from saferec_core.data.titles import Title
from saferec_core.errors import DataError
from saferec_core.pipeline.writers import publish, published_files

FORMS = ["jsonl", "parquet", "datasets"]


def row(number, split=None, **columns):
    return {
        "id": f"s{number}",
        "prompt": [{"role": "user", "content": f"Something like number {number}? «Ünïcode» & \u2028 too"}],
        "groundtruth_with_release_year": [["Up", 2009], ["Coco", 2017]],
        "seen_titles": [["Saw", 2004], ["Toy Story", None]],
        "constraints": ["squeamish"],
        **({"split": split} if split else {}),
        **columns,
    }


@pytest.fixture
def published(tmp_path):
    """Publish rows; return the folder and what was said about it."""

    def run(rows, form, name="out"):
        source = tmp_path / "rows.jsonl"
        source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return tmp_path / name, publish(source, tmp_path / name, form=form)

    return run


def as_bytes(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("form", FORMS)
def test_each_format_reads_back_as_the_same_records(published, form):
    completion = [{"role": "assistant", "content": "Up (2009)"}]
    folder, summary = published(
        [row(1, "train", completion=completion), row(2, "test"), row(3), row(4, "train", time=5)], form
    )

    assert summary.rows == {"train": 3, "test": 1}
    assert list(summary.files) == ["train", "test"]
    train = read_records(folder / summary.files["train"], needs={"constraints": "this test"})
    assert [record.columns["id"] for record in train] == ["s1", "s3", "s4"]
    assert [record.completion for record in train] == [completion, None, None]
    assert train[0].prompt == [{"role": "user", "content": "Something like number 1? «Ünïcode» & \u2028 too"}]
    assert train[0].groundtruth == (Title("Up", 2009), Title("Coco", 2017))
    assert train[0].seen_titles == (Title("Saw", 2004), "Toy Story")
    assert train[0].constraints == ("squeamish",)
    assert [record.columns.get("time") for record in train] == [None, None, 5]


@pytest.mark.parametrize("form", FORMS)
def test_the_same_rows_give_the_same_bytes(published, form):
    rows = [row(n, ("train", "test")[n % 2], risk={f"trait {n}": 0.5}) for n in range(40)]

    first, _ = published(rows, form, "first")
    second, _ = published(rows, form, "second")

    assert as_bytes(first) == as_bytes(second)
    assert as_bytes(first)


def test_datasets_loads_the_folder_as_a_dictionary_of_splits(published):
    import datasets

    folder, _ = published([row(1, "train"), row(2, "validation"), row(3, "train")], "datasets")

    loaded = datasets.load_from_disk(str(folder))
    assert {split: len(part) for split, part in loaded.items()} == {"train": 2, "validation": 1}
    assert loaded["train"][1]["id"] == "s3"
    assert loaded["train"].features["seen_titles"].feature["year"].dtype == "int32"
    other, _ = published([row(1, "train"), row(2, "validation"), row(4, "train")], "datasets", "other")
    assert datasets.load_from_disk(str(other))["train"]._fingerprint != loaded["train"]._fingerprint


def test_more_rows_than_a_batch_keep_their_order(published, monkeypatch):
    monkeypatch.setattr("saferec_core.pipeline.writers._BATCH_ROWS", 4)

    for form in FORMS:
        folder, summary = published([row(n) for n in range(10)], form, form)
        read = [row["id"] for row in read_rows(folder / summary.files["train"])]
        assert read == [f"s{n}" for n in range(10)]


@pytest.mark.parametrize("form", FORMS)
def test_columns_of_the_document_come_into_one_form(published, form):
    folder, _ = published(
        [
            row(
                1,
                prompt="Films without gore?",
                constraints={"squeamish": True, "no drugs": None},
                seen_titles=["Saw (2004)", {"title": "Up", "year": "2009"}],
                groundtruth_with_release_year=[["Coco", "2017.0"]],
                constraints_stated={"squeamish": "No gore.", "no drugs": None},
            )
        ],
        form,
    )

    (read,) = read_rows(next(iter(published_files(folder)[1].values())))
    assert read["prompt"] == [{"role": "user", "content": "Films without gore?"}]
    assert read["constraints"] == ["squeamish"]
    assert read["constraints_stated"] == [{"trait": "squeamish", "sentence": "No gore."}]
    seen = [list(title.values()) if isinstance(title, dict) else title for title in read["seen_titles"]]
    assert seen == [["Saw", 2004], ["Up", 2009]]


def test_arrow_types_fit_all_rows_and_only_irregular_values_become_json(published):
    removed = {"title": "Saw", "year": 2004, "risk": 1}
    folder, summary = published(
        [
            row(1, whole=1, mixed=1, flags=[True], by_trait={"gore": 1}, removed=[{**removed, "why": "x"}]),
            row(2, whole=2, mixed=0.5, flags=[], by_trait={"drugs": 1}, removed=[{**removed, "why": ["y"]}]),
            row(3, whole=None, big=2**70, nothing=[]),
        ],
        "parquet",
    )

    assert summary.json_columns == ("by_trait", "removed.why", "big")
    first, second, third = read_rows(folder / "train.parquet")
    assert (first["whole"], second["whole"], third["whole"]) == (1, 2, None)
    assert (first["mixed"], second["mixed"]) == (1.0, 0.5)
    assert first["flags"] == [True]
    assert first["by_trait"] == '{"gore": 1}'
    assert first["removed"] == [{**removed, "why": '"x"'}]
    assert second["removed"] == [{**removed, "why": '["y"]'}]
    assert third["big"] == str(2**70)
    assert third["removed"] is None


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("bad", "complaint"),
    [
        ({"split": "dev"}, r"rows\.jsonl, line 2: split must be train, validation or test, but is 'dev'"),
        ({"split": "../../etc"}, "line 2: split must be"),
        ({"prompt": None}, "line 2: prompt: expected a list of messages"),
        (
            {"seen_titles": [["Saw", 2**40]]},
            "line 2: seen_titles: the year of 'Saw' must have at most four digits, but is 1099511627776",
        ),
        ({"prompt": "half a pair: \ud800"}, "line 2: "),
        ({"score": float("nan")}, "line 2: a number that is not finite"),
    ],
)
def test_a_row_that_cannot_be_written_is_named(published, form, bad, complaint):
    with pytest.raises(DataError, match=complaint):
        published([row(1), row(2, **bad)], form)


@pytest.mark.parametrize("form", FORMS)
def test_no_rows_are_no_dataset(published, form):
    with pytest.raises(DataError, match="holds no rows"):
        published([], form)


def test_a_folder_without_splits_is_no_dataset(tmp_path):
    with pytest.raises(DataError, match="does not hold a dataset"):
        published_files(tmp_path)
