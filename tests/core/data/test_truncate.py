"""Prompts that are too long."""

import pytest

from saferec_core.data.records import Record
from saferec_core.data.truncate import fit_records


def turns(*contents):
    """Alternate user and assistant; a content that begins with ``!`` is a system message."""
    roles = {True: "user", False: "assistant"}
    spoken = [content for content in contents if not content.startswith("!")]
    system = [{"role": "system", "content": c} for c in contents if c.startswith("!")]
    return system + [{"role": roles[n % 2 == 0], "content": c} for n, c in enumerate(spoken)]


def words(records):
    """Stand in for the tokens of records."""
    return [
        sum(len(message["content"].split()) for message in (*record.prompt, *(record.completion or ())))
        for record in records
    ]


def fit(prompt, limit):
    fitted = fit_records([Record(prompt=prompt)], limit, words)
    contents = [[message["content"] for message in record.prompt] for record in fitted.records]
    return contents, fitted.shortened, fitted.left_out


def test_a_prompt_that_fits_is_left_as_it_is():
    record = Record(prompt=turns("a b", "c", "d"))
    fitted = fit_records([record], 4, words)

    assert fitted.records[0] is record
    assert (fitted.shortened, fitted.left_out) == (0, 0)


def test_the_oldest_turns_go_first_and_with_them_what_answered_them():
    prompt = turns("old question", "old answer", "newer", "reply", "no gore please")

    assert fit(prompt, 8) == ([["newer", "reply", "no gore please"]], 1, 0)
    assert fit(prompt, 4) == ([["no gore please"]], 1, 0)


def test_the_last_turn_is_never_cut():
    assert fit(turns("old", "answer", "no gore please"), 3) == ([["no gore please"]], 1, 0)
    assert fit(turns("old", "answer", "no gore please"), 2) == ([], 0, 1)


def test_a_system_message_stays():
    prompt = turns("!be kind", "old", "answer", "no gore")

    assert fit(prompt, 4) == ([["!be kind", "no gore"]], 1, 0)
    assert fit(prompt, 3) == ([], 0, 1)


def test_what_is_left_begins_with_the_user():
    for limit in range(1, 12):
        for contents in fit(turns("a b", "c d", "e f", "g h", "i j"), limit)[0]:
            assert contents[0].split()[0] in {"a", "e", "i"}
            assert contents[-1] == "i j"


def test_the_completion_counts_and_is_kept_whole():
    completion = [{"role": "assistant", "content": "Up Coco Heat"}]
    record = Record(prompt=turns("old", "answer", "new"), completion=completion)
    [fitting] = fit_records([record], 4, words).records

    assert [message["content"] for message in fitting.prompt] == ["new"]
    assert fitting.completion == completion


def test_records_keep_their_order_and_are_counted():
    records = [Record(prompt=turns(text)) for text in ("a", "a b c", "b", "c d")]
    fitted = fit_records(records, 2, words)

    assert [record.prompt[0]["content"] for record in fitted.records] == ["a", "b", "c d"]
    assert (fitted.shortened, fitted.left_out) == (0, 1)


def test_records_behind_those_that_are_left_out_are_found_by_their_new_positions():
    texts = ["a", "x x x", "b", "x x x", "x x x", "c", "old", "d"]
    records = [Record(prompt=turns(text)) for text in texts]
    records[6] = Record(prompt=turns("old old", "answer", "new"))
    fitted = fit_records(records, 2, words)

    contents = [record.prompt[-1]["content"] for record in fitted.records]
    assert contents == ["a", "b", "c", "new", "d"]
    assert [fitted.records[n].prompt[-1]["content"] for n in range(-5, 0)] == contents
    assert fitted.records[1:3] == [records[2], records[5]]
    assert fitted.records[3] is fitted.records[3]
    assert (fitted.shortened, fitted.left_out) == (1, 3)
    with pytest.raises(IndexError, match="record 5 of 5"):
        fitted.records[5]
