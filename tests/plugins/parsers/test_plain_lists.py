"""Lists with one title and its year on every line are read as all others are, but faster."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from saferec_core import load_plugins
from saferec_core.errors import PluginError
from saferec_core.plugins.build import build
from saferec_core.plugins.contracts.parser import parse as parse_one
from saferec_plugins.parsers import plain_lists
from saferec_plugins.parsers.title_year import TitleYearParser

parse = TitleYearParser()

TITLES = [
    "Heat (1995)", "Stand by Me (1986)", "12 Angry Men (1957)", "2001: A Space Odyssey (1968)",
    "300 (2006)", "(500) Days of Summer (2009)", "Q: The Winged Serpent (1982)", "M (1931)",
    "I, Robot (2004)", "IV. Roots (1977)", "Year (2004)", "May (2002)", "Released (2009)", "Amélie (2001)",
    "Ocean's Eleven (2001)", "Toy Story 3 (2010)", "Blade Runner 2049 (2017)",
    "Don't Recommend This (2001)", "Never Watch Alone (2010)", "Based on Your Taste (1999)",
    "Given Your Interests (1999)", "Face/Off (1997)", "Se7en (1995)", "WALL-E (2008)", "8: A Film (2010)",
    "User: The Film (1999)", "System (2001)", "analysis of Bob (1999)", "Analysis Terminable (1999)",
    "First, Love (1999)", "One: A Life (1999)", "Not Included Titles (2000)", "Avoid Me (2003)",
    "Directed by Anyone (1990)", "Fantasia (2000) (1999)", "Seven (a.k.a. Se7en) (1995)",
    "I recommend Heat (1995)", "Fast & Furious (2009)", "Title: Heat (1995)", "Heat, 1995", "Heat - 1995",
    "1995 - Heat", "Heat", "Genre: Drama", "Avoid these:", "(1995)", "Here are the films:", "<solution>",
    "</solution>", "[1] Heat (1995)", '["Heat", "Up"]', '{"title": "Heat"}', "user:", "## User",
    "assistant: Heat (1995)", "Heat (1995), Saw (2004)", "| Heat | 1995 |", "---", "```", "1.", "", " ",
    "Heat (19",
]  # fmt: skip
FRONTS = [
    "",
    "",
    "",
    "1. ",
    "2. ",
    "3. ",
    "10. ",
    "01. ",
    "1) ",
    "- ",
    "* ",
    "  - ",
    "1: ",
    "(1) ",
    "**",
    '"',
    "A. ",
]
BEHINDS = ["", "", "", " ", "**", '"', " - a classic", ".", " about user: that", "\ufeff"]
BREAKS = ["\n", "\n", "\n", "\n\n", "\r\n", "\r", "\u2028", "\x0b", "<br>"]

lines = st.builds("".join, st.tuples(*map(st.sampled_from, (FRONTS, TITLES, BEHINDS, BREAKS))))


@settings(max_examples=400)
@given(st.lists(lines, max_size=6).map("".join), st.booleans(), st.booleans())
@example("One: Life (1999)\nTwo: Up (2009)\n", True, False)
@example("1 Heat (1995)\n2 Saw (2004)\n3 Up (2009)\n", True, False)
@example("1. Heat (1995)\n2. Saw (2004)\n1. Up (2009)\n", True, False)
def test_a_text_is_read_line_by_line_as_it_is_read_as_a_whole(text, finished, cut):
    text = text[:-1] if cut else text

    assert parse(text, finished=finished) == parse._read_closely(text, finished=finished)


@given(st.text(st.sampled_from("AbH 1.9()\n:'-*\"é"), max_size=40))
def test_any_text_is_read_line_by_line_as_it_is_read_as_a_whole(text):
    assert parse(text) == parse._read_closely(text, finished=True)


@pytest.mark.parametrize(
    "text",
    [
        "Heat (1995)\nUp (2009)",
        "1. Heat (1995)\n2. Up (2009)\n",
        "- **Heat** (1995)\n- **Up** (2009)",
        "2001: A Space Odyssey (1968)\n12 Angry Men (1957)\n",
    ],
    ids=["plain", "numbered", "bulleted", "titles with numbers"],
)
def test_lists_of_one_title_a_line_need_no_closer_look(text):
    assert len(parse._plain_lists.read(text)) == 2


def test_a_name_with_half_of_a_character_is_refused_from_a_parser_of_saferec_too():
    parser = build(load_plugins().parsers.get("title-year"), {})

    with pytest.raises(PluginError, match="half of a character"):
        parse_one(parser, "He\ud83dat (1995)")


def test_lines_are_forgotten_before_they_fill_the_memory(monkeypatch):
    monkeypatch.setattr(plain_lists, "_REMEMBERED", 8)
    parse = TitleYearParser()

    for year in range(1900, 2000):
        assert parse(f"Heat ({year})").items[0].year == year

    assert len(parse._plain_lists._lines) <= 8
