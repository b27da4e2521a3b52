"""Whether a run is continued with what it began with."""

from pathlib import Path

import pytest

from saferec_core.errors import RunError
from saferec_core.runs.continuity import check_data, other_versions
from saferec_core.runs.layout import RunLayout

RUN = RunLayout(Path("runs/mine"))
BEGAN = {
    "data": {
        "train_path": {"path": "a.jsonl", "sha256": "1"},
        "test_path": {"path": "b.jsonl", "sha256": "2"},
    },
    "versions": {"torch": "2.12.0", "vllm": None},
    "distributions": [{"distribution": "acme", "version": "1.0"}],
}


def test_files_whose_content_changed_are_named():
    now = {
        "data": {
            "train_path": {"path": "a.jsonl", "sha256": "3"},
            "oracle.path": {"path": "c", "sha256": "4"},
        }
    }

    with pytest.raises(RunError, match=r"runs/mine began with other data .* train_path \(a.jsonl\) changed"):
        check_data(RUN, BEGAN, now)


def test_a_file_that_was_moved_is_the_same_data():
    check_data(RUN, BEGAN, {"data": {"train_path": {"path": "elsewhere.jsonl", "sha256": "1"}}})


def test_packages_of_other_versions_are_named_in_a_sentence():
    now = {**BEGAN, "versions": {"torch": "2.13.0", "vllm": "0.31.0"}, "distributions": []}

    assert other_versions(BEGAN, BEGAN) == []
    (sentence,) = other_versions(BEGAN, now)
    assert sentence.startswith("The run began with acme 1.0 (now not installed), torch 2.12.0 (now 2.13.0): ")


def test_a_plugin_whose_files_changed_without_its_version_is_named():
    then, now = (
        {"distributions": [{"distribution": "acme", "version": "1.0", "sha256": digest}]}
        for digest in ("1", "2")
    )

    assert other_versions(then, then) == []
    (sentence,) = other_versions(then, now)
    assert sentence.startswith("The run began with other files of acme 1.0: ")


@pytest.mark.parametrize(
    "damaged", [{}, {"data": 3, "versions": "x", "distributions": {}}], ids=["none", "other"]
)
def test_a_manifest_that_says_nothing_keeps_no_run_from_continuing(damaged):
    check_data(RUN, damaged, BEGAN)
    assert other_versions(damaged, BEGAN) == []
