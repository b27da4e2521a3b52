"""Text of plugins as terminals are given it."""

import pytest

from saferec_core.plugins.plain_text import plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Amélie (2001) – ok", "Amélie (2001) – ok"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;my title\x07rest", "rest"),
        ("\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b2Jgone", "gone"),
        ("\x1b]0;without an end", ""),
        ("\x1bcreset\x1b(0", "reset"),
        ("fine\rerror: forged", "fine error: forged"),
        ("one\ntwo", "one two"),
        ("\u202egnp.exe", "gnp.exe"),
        ("half \ud800 a pair", "half a pair"),
        ("क्\u200dष", "क्\u200dष"),
    ],
    ids=[
        *("plain", "color", "title", "link", "eight-bit", "endless", "reset", "return", "lines"),
        *("right-to-left", "surrogate", "joiner"),
    ],
)
def test_nothing_that_a_terminal_acts_on_is_left(text, shown):
    assert plain(text) == shown


def test_line_breaks_and_tabs_stay_where_lines_are_wanted():
    assert plain("one\n\ttwo\r\x1b[2K", lines=True) == "one\n\ttwo "
