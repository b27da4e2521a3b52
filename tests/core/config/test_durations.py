"""Durations."""

import pytest

from saferec_core.config.durations import seconds


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5400", 5400),
        ("90m", 5400),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("1d", 86400),
        ("45s", 45),
        ("2H 5m", 7500),
    ],
)
def test_durations_are_read_as_people_write_them(text, value):
    assert seconds(text) == value


@pytest.mark.parametrize("text", ["", "0", "-3", "soon", "1x", "30m1h", "inf", "nan"])
def test_what_is_no_duration_is_refused_with_examples(text):
    with pytest.raises(ValueError, match="1h30m"):
        seconds(text)
