"""Logs of runs, whole or cut off."""

import pytest

from saferec_core.errors import DataError
from saferec_core.runs.log_rows import log_rows


def test_a_last_line_that_was_cut_off_is_left_out(tmp_path):
    log = tmp_path / "rollouts.jsonl"
    log.write_text('{"step": 1}\n{"step": 2}\n{"ste')

    assert list(log_rows(log)) == [(1, {"step": 1}), (2, {"step": 2})]


def test_a_whole_last_line_counts_without_its_end_too(tmp_path):
    log = tmp_path / "rollouts.jsonl"
    log.write_text('{"step": 1}\n{"step": 2}')

    assert [row["step"] for _, row in log_rows(log)] == [1, 2]


def test_any_other_damaged_line_is_an_error_with_file_and_line(tmp_path):
    log = tmp_path / "rollouts.jsonl"
    log.write_text('{"step": 1}\n{"ste\n{"step": 3}\n')

    with pytest.raises(DataError, match=r"rollouts\.jsonl, line 2: not a JSON object"):
        list(log_rows(log))


def test_without_a_log_there_are_no_rows(tmp_path):
    assert list(log_rows(tmp_path / "rollouts.jsonl")) == []
