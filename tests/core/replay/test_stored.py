"""Stored completions of a run and of other tools, and what is refused of them."""

from __future__ import annotations

import json

import pytest

from saferec_core.data.titles import Title
from saferec_core.errors import DataError, RunError
from saferec_core.replay.credited import stored_advantages
from saferec_core.replay.stored import read_batches, rollouts_file

NEEDS = {"groundtruth_with_release_year": "reward 'relevance'"}


def written(tmp_path, *rows):
    path = tmp_path / "rollouts.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def of_run(step, record, text, **more):
    return {
        "step": step,
        "record": record,
        "prompt": [{"role": "user", "content": f"wish {record}"}],
        "constraints": ["gore"],
        "groundtruth": [["Saw", 2004]],
        "completion": text,
        "titles": [["Up", 2009]],
        "seen": [False],
        "events": [],
        "advantage": [0.5, 0.0],
        "list_advantage": -0.5,
        **more,
    }


def test_rows_of_a_run_are_batches_by_step_with_siblings_and_their_own_advantages(tmp_path):
    rows = [of_run(step, record, f"{record}{n}") for step in (1, 11) for record in (7, 3) for n in "ab"]

    first, second = read_batches(written(tmp_path, *rows), NEEDS)

    assert (first.step, first.group_size) == (1, 2)
    assert [each.text for each in first.completions] == ["7a", "7b", "3a", "3b"]
    assert second.completions[3].name == "step 11, record 3, completion 2"
    each = first.completions[0]
    assert each.record.groundtruth == (Title("Saw", 2004),)
    assert each.record.constraints == ("gore",)
    assert (each.rank_advantages, each.list_advantage) == ([0.5, 0.0], -0.5)


def test_what_any_sibling_named_of_the_history_was_seen_by_the_user(tmp_path):
    rows = [of_run(1, 7, "a", seen=[True]), of_run(1, 7, "b", titles=[["Coco", 2017]], seen=[False])]

    [batch] = read_batches(written(tmp_path, *rows), {})

    assert {each.record.seen_titles for each in batch.completions} == {(Title("Up", 2009),)}


def test_a_completion_that_broke_off_is_read_as_such(tmp_path):
    rows = [of_run(1, 7, "a", events=["truncated"]), of_run(1, 7, "b")]

    [batch] = read_batches(written(tmp_path, *rows), {})

    assert [each.finished for each in batch.completions] == [False, True]


@pytest.mark.parametrize(
    "rows",
    [
        [
            {"prompt": "wish", "completion": text, "groundtruth_with_release_year": [["Saw", 2004]]}
            for text in "ab"
        ],
        [
            {
                "prompt": "wish",
                "completions": ["a", "b"],
                "record": {"groundtruth_with_release_year": [["Saw", 2004]]},
            }
        ],
        [
            {
                "prompt": [{"role": "user", "content": "wish"}],
                "completion": [{"role": "assistant", "content": text}],
                "groundtruth_with_release_year": [["Saw", 2004]],
            }
            for text in "ab"
        ],
    ],
    ids=["a row each", "a row for all, columns in record", "messages"],
)
def test_completions_of_other_tools_are_one_batch_without_a_step(tmp_path, rows):
    [batch] = read_batches(written(tmp_path, *rows), NEEDS)

    assert (batch.step, batch.group_size) == (None, 2)
    assert [each.text for each in batch.completions] == ["a", "b"]
    assert batch.completions[1].record.groundtruth == (Title("Saw", 2004),)
    assert batch.completions[1].rank_advantages is None


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "holds no completions"),
        ([{"prompt": "wish"}], r"line 1: a row needs 'prompt' and 'completion' .*; it has prompt"),
        (
            [{"prompt": "wish", "completion": "a"}] * 2,
            "column 'groundtruth_with_release_year' is missing; reward 'relevance' needs it",
        ),
        ([of_run(1, 7, "a"), of_run(1, 3, "b")], "every prompt has one completion"),
        (
            [of_run(1, 7, "a"), of_run(1, 7, "b"), of_run(1, 3, "c")],
            "the prompt in line 3 has 1 and an earlier one 2",
        ),
        ([of_run(1, 7, 5), of_run(1, 7, "b")], "line 1: a completion must be text or messages, but is int"),
    ],
    ids=["nothing", "no completion", "no column", "no siblings", "unequal", "a number"],
)
def test_rows_that_cannot_be_replayed_are_refused_with_their_line(tmp_path, rows, message):
    with pytest.raises(DataError, match=message):
        read_batches(written(tmp_path, *rows), NEEDS)


def test_a_folder_that_is_no_run_and_a_run_without_rollouts_are_told_apart(tmp_path):
    with pytest.raises(RunError, match="does not exist"):
        rollouts_file(tmp_path / "nosuch")
    with pytest.raises(RunError, match="is not a run folder"):
        rollouts_file(tmp_path)
    (tmp_path / "config.yaml").write_text("", encoding="utf-8")
    with pytest.raises(RunError, match=r"has no rollouts to replay: rollouts\.jsonl"):
        rollouts_file(tmp_path)
    assert rollouts_file(written(tmp_path)) == tmp_path / "rollouts.jsonl"


def of_other(text, **more):
    return {"prompt": "wish", "completion": text, "groundtruth_with_release_year": [["Saw", 2004]], **more}


def test_the_same_words_of_two_users_are_two_prompts_with_their_own_ground_truth(tmp_path):
    other = {"groundtruth_with_release_year": [["Up", 2009]]}
    rows = [of_other("a"), of_other("b"), of_other("c", **other), of_other("d", **other)]

    [batch] = read_batches(written(tmp_path, *rows), NEEDS)

    assert batch.group_size == 2
    truths = [each.record.groundtruth for each in batch.completions]
    assert truths == [(Title("Saw", 2004),)] * 2 + [(Title("Up", 2009),)] * 2


def test_a_row_of_several_completions_is_a_group_whatever_stands_next_to_it(tmp_path):
    row = {"prompt": "wish", "completions": ["a", "b"]}

    [batch] = read_batches(written(tmp_path, row, row), {})

    assert batch.group_size == 2
    assert [each.text for each in batch.completions] == ["a", "b", "a", "b"]


def test_one_advantage_of_the_whole_completion_is_that_of_all_its_ranks(tmp_path):
    rows = [of_other("a", step=1, advantage=1.5), of_other("b", step=1, advantage=-1.5)]

    stored = stored_advantages(read_batches(written(tmp_path, *rows), {}), 3)

    assert stored.rank.tolist() == [[1.5] * 3, [-1.5] * 3]
    assert stored.list.tolist() == [1.5, -1.5]


def test_several_completions_of_a_row_have_an_advantage_each(tmp_path):
    row = {"prompt": "wish", "completions": ["a", "b"], "advantage": [1, -1.5]}

    stored = stored_advantages(read_batches(written(tmp_path, row), {}), 2)

    assert stored.rank.tolist() == [[1.0] * 2, [-1.5] * 2]
    with pytest.raises(DataError, match="line 1: 'advantage' must be one for each of 2 completions"):
        read_batches(written(tmp_path, row | {"advantage": [1, 2, 3]}), {})


def test_a_completion_that_endpoints_say_was_cut_off_is_not_finished(tmp_path):
    rows = [of_other(text, finish_reason=reason) for text, reason in (("a", "length"), ("b", "stop"))]

    [batch] = read_batches(written(tmp_path, *rows), {})

    assert [each.finished for each in batch.completions] == [False, True]


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"step": "one"}, "'step' must be a whole number, but is 'one'"),
        ({"advantage": ["x"], "list_advantage": 0.5}, r"'advantage' must be a number, or .* \['x'\] and 0.5"),
        ({"advantage": [None, 1], "list_advantage": 0.5}, "'advantage' must be a number"),
        ({"advantage": [0.5]}, "'advantage' must be a number"),
        ({"completions": "Up (2009)"}, "'completions' must be a list, but is str; a single one is called"),
    ],
    ids=["step", "advantage", "null among advantages", "no list part", "one completion"],
)
def test_columns_of_another_tool_that_hold_something_else_are_named_with_their_line(tmp_path, more, problem):
    with pytest.raises(DataError, match=f"line 1: {problem}"):
        read_batches(written(tmp_path, of_other("a", **more), of_other("b", **more)), {})


def test_columns_that_only_share_a_name_with_those_of_a_run_are_left_alone(tmp_path):
    [batch] = read_batches(written(tmp_path, *(of_other(text, seen=True, titles=3) for text in "ab")), {})

    assert batch.completions[0].record.seen_titles == ()
