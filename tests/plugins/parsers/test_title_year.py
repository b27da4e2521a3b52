"""Lists with one ``Title (Year)`` a line."""

import csv
import gzip
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from saferec_core.data.titles import Title
from saferec_core.errors import ConfigError
from saferec_core.plugins.contracts.parser import EventKind
from saferec_plugins.parsers.sections import list_sections
from saferec_plugins.parsers.title_year import TitleYearParser
from tests.shared import SHARED

parse = TitleYearParser()

DECORATIONS = [
    "{title} ({year})",
    "  {title} ({year})  ",
    "1. {title} ({year})",
    "12) {title} ({year})",
    "7 - {title} ({year})",
    "#3. {title} ({year})",
    "- {title} ({year})",
    "* {title} ({year})",
    "+ {title} ({year})",
    "• {title} ({year})",
    "– {title} ({year})",
    "— {title} ({year})",
    "## {title} ({year})",
    "> {title} ({year})",
    "- 1. {title} ({year})",
    "**{title}** ({year})",
    "**{title} ({year})**",
    "*{title}* ({year})",
    "*{title} ({year})*",
    "_{title}_ ({year})",
    "__{title}__ ({year})",
    "***{title}*** ({year})",
    "1. **{title}** ({year})",
    "1. **{title} ({year})** - a classic",
    "**1. {title}** ({year})",
    "**1. {title} ({year})**",
    "**1.** {title} ({year})",
    '3. **"{title}"** ({year})',
    '"{title}" ({year})',
    '"{title} ({year})"',
    '"{title} ({year})."',
    "'{title}' ({year})",
    "'{title} ({year})'",
    "“{title}” ({year})",
    "‘{title}’ ({year})",
    "`{title}` ({year})",
    "`{title} ({year})`",
    "{title} ({year}).",
    "{title} ({year}), if you like",
    "{title} ({year}) - a *great* **film** with a 'twist'",
    '{title} ({year}): "one of a kind" (really)',
    "{title} ({year}-2031)",
    "{title} ({year}– )",
    "{title} ({year}–present)",
]

SEQUELS = [
    Title("Terminator 2: Judgment Day", 1991),
    Title("Anchorman 2: The Legend Continues", 2013),
    Title("Apollo 13: The Untold Story", 2010),
    Title("Q: The Winged Serpent", 1982),
    Title("Series 7: The Contenders", 2001),
]

DIFFICULT = [
    Title("Saw", 2004),
    Title("(500) Days of Summer", 2009),
    Title("*batteries not included", 1987),
    Title("1917", 2019),
    Title("2001: A Space Odyssey", 1968),
    Title("2012", 2009),
    Title("10 Things I Hate About You", 1999),
    Title("10", 1979),
    Title("300: Rise of an Empire", 2014),
    Title("50/50", 2011),
    Title("8½", 1963),
    Title("'71", 2014),
    Title("[REC]²", 2009),
    Title('"Crocodile" Dundee', 1986),
    Title("'Til Death", 2021),
    Title("Boundin'", 2003),
    Title("Birdman or (The Unexpected Virtue of Ignorance)", 2014),
    Title("The Office (US)", 2005),
    Title("#Alive", 2020),
    Title("+1", 2013),
    Title("$", 1971),
    Title("...And Justice for All", 1979),
    Title("What the #$*! Do We (K)now!?", 2004),
    Title("M*A*S*H", 1970),
    Title("Se7en - The Cut", 1995),
    Title("Yes, God, Yes", 2019),
    Title("東京物語", 1953),
    Title("L'arrivée d'un train", 1896),
]


def titles_in(text, *, finished=True):
    return [item.title for item in parse(text, finished=finished).items]


def lines_of(text, spans):
    return [text[span.start : span.end] for span in spans]


def events_in(text, *, finished=True):
    events = parse(text, finished=finished).events
    return [(event.kind, text[event.start : event.end]) for event in events]


@pytest.mark.parametrize("decoration", DECORATIONS)
def test_titles_come_unchanged_out_of_every_decoration(decoration):
    text = "\n".join(decoration.format(title=name, year=year) for name, year in DIFFICULT)

    assert titles_in(text) == DIFFICULT


def test_sequels_are_written_as_they_are():
    assert parse.format(SEQUELS) == "\n".join(map(str, SEQUELS))
    parts = [Title("Part 1: Dawn", 2001), Title("Part 2: Noon", 2002), Title("Part 3: Dusk", 2003)]

    assert parse.format(parts) == "\n".join(map(str, parts))
    assert titles_in(parse.format(parts)) == parts


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        (
            "Shrek 1 - 2001\nShrek 2 - 2004\nShrek 3 - 2007",
            [("Shrek 1", 2001), ("Shrek 2", 2004), ("Shrek 3", 2007)],
        ),
        ("Saw 1 - (2004)\nSaw 2 - (2005)", [("Saw 1", 2004), ("Saw 2", 2005)]),
        (
            "Dune 1: Part One (2021)\nDune 2: Part Two (2024)\nSaw (2004)",
            [("Dune 1: Part One", 2021), ("Dune 2: Part Two", 2024), ("Saw", 2004)],
        ),
        (
            "Terminator 1: The Beginning (1984)\nTerminator 2: Judgment Day (1991)",
            [("Terminator 1: The Beginning", 1984), ("Terminator 2: Judgment Day", 1991)],
        ),
    ],
    ids=["dashes", "dashes and brackets", "with another film", "colons"],
)
def test_the_parts_of_a_series_keep_their_numbers(text, titles):
    assert titles_in(text) == [Title(*title) for title in titles]


def real_catalogs():
    """Titles of every real catalog at hand, by file."""
    for name in ("reddit_gt_catalog", "reddit_movie_entities"):
        path = SHARED / f"data/catalog/{name}.jsonl"
        if path.exists():
            rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
            yield [Title(row["title"], row["year"]) for row in rows]
    path = SHARED / "data/movielens/ml-latest-small/movies.csv.gz"
    if path.exists():
        with gzip.open(path, "rt", encoding="utf-8") as file:
            names = [row["title"] for row in csv.DictReader(file)]
        matches = [re.fullmatch(r"(.*\S) \((\d{4})\) *", name) for name in names]
        yield [Title(match[1], int(match[2])) for match in matches if match]


@pytest.mark.parametrize("decoration", [*DECORATIONS[:3], DECORATIONS[15], DECORATIONS[-4]])
def test_every_title_of_the_real_catalogs_survives(decoration):
    catalogs = list(real_catalogs())
    if not catalogs:
        pytest.skip("the real catalogs are not beside this checkout")
    for catalog in catalogs:
        lines = [decoration.format(title=name, year=year) for name, year in catalog]

        assert titles_in("\n".join(lines)) == catalog


def test_recorded_lists_are_read_as_before_except_where_the_record_is_wrong():
    path = SHARED / "vectors/original.json"
    if not path.exists():
        pytest.skip("the recorded behavior is not beside this checkout")
    records = json.loads(path.read_text(encoding="utf-8"))["parse"]

    differing = {
        record["text"]: titles_in(record["text"])
        for record in records
        if titles_in(record["text"]) != [Title(*title) for title in record["recs"]]
    }

    assert differing == {
        "Saw (US) (2004)": [Title("Saw (US)", 2004)],
        "(500) Days of Summer (2009)": [Title("(500) Days of Summer", 2009)],
        "(2004) (2005)": [Title("(2004)", 2005)],
        "1. 2. Saw (2004)": [Title("2. Saw", 2004)],
        "1.Saw (2004)": [Title("Saw", 2004)],
        "Saw (2004)\tIt (2017)": [Title("Saw", 2004), Title("It", 2017)],
    }


def test_formatted_titles_are_read_back_even_if_they_look_decorated():
    titles = [
        *DIFFICULT,
        Title("1. April", 2000),
        Title("9 - Nine", 2001),
        Title('"Wuthering Heights"', 2026),
        Title("'...And God Spoke'", 1993),
        Title("*", 2010),
        Title("- x", 2010),
        Title("#", 2011),
        Title("1. A *film*", 2012),
    ]

    text = parse.format(titles)

    assert titles_in(text) == titles
    assert text.startswith("Saw (2004)\n(500) Days of Summer (2009)\n*batteries")
    assert '"1. April" (2000)' in text


@given(st.lists(st.builds(Title, st.text(st.characters(codec="ascii")), st.integers(1800, 2099))))
def test_whatever_is_formatted_is_read_back(titles):
    readable = [
        title
        for title in titles
        if title.name
        and title.name == title.name.strip()
        and not re.search(r"[\x00-\x1f<\\&]|[(\[{][^)]*[12]|\]\(|\[/?[bisu]|[12][0-9]{3}", title.name)
    ]

    assert titles_in(parse.format(readable)) == readable


def test_numbers_and_bullets_go_once():
    assert titles_in("1. 2. Fall (2004)") == [Title("2. Fall", 2004)]
    assert titles_in("- - Fall (2004)") == [Title("- Fall", 2004)]


@pytest.mark.parametrize("line", ["**Saw (2004)", "**Saw (2004) - a **classic", "Saw** (2004)"])
def test_bold_that_opens_or_closes_alone_is_no_part_of_the_title(line):
    assert titles_in(line) == [Title("Saw", 2004)]


@pytest.mark.parametrize(
    "form", ["{}. {}", "#{} - {}", "{}) **{}**"], ids=["dot", "hash", "bracket and bold"]
)
def test_a_list_that_counts_down_is_read_to_its_end(form):
    titles = [Title("Saw", 2004), Title("Cube", 1997), Title("Alien", 1979)]
    text = "\n".join(form.format(number, title) for number, title in zip((3, 2, 1), titles, strict=True))

    assert titles_in(text) == titles


def test_a_list_that_begins_anew_ends_the_list_before_it():
    first = [Title("Saw", 2004), Title("Cube", 1997)]

    assert titles_in("1. Saw (2004)\n2. Cube (1997)\n\n1. Alien (1979)") == first
    assert titles_in("2. Saw (2004)\n3. Cube (1997)\n\n1. Alien (1979)") == first
    assert titles_in("2. Saw (2004)\n1. Cube (1997)\n\n1. Alien (1979)\n2. Heat (1995)") == first
    assert titles_in("5. Saw (2004)\n4. Cube (1997)\n\n1. Alien (1979)\n2. Heat (1995)") == first
    assert titles_in("2. Saw (2004)\n1. Cube (1997)\n\n2. Alien (1979)\n1. Heat (1995)") == first


def test_a_number_has_at_most_three_digits():
    assert titles_in("1.Saw (2004)") == [Title("Saw", 2004)]
    assert titles_in("1984. Saw (2004)") == [Title("1984. Saw", 2004)]


def test_the_first_year_with_a_title_before_it_counts():
    assert titles_in("(2004) (2005)") == [Title("(2004)", 2005)]
    assert titles_in("Saw (2004) (2005)") == [Title("Saw", 2004)]
    assert titles_in("- (2004)") == []
    assert titles_in("** (2004)") == []


@pytest.mark.parametrize("line", ["Saw (04)", "Saw 2004", "Saw (1799)", "Saw (2100)", "Saw (20045)"])
def test_a_year_has_brackets_and_four_digits_of_the_cinema_era(line):
    assert titles_in(line) == []


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\v", "\f", "\x85", "\u2028", "\u2029"], ids=ascii)
def test_lines_end_wherever_unicode_ends_them(end):
    text = f"Saw (2004){end}It (2017){end}{end}Up (2009){end}"

    items = parse(text).items

    assert [item.name for item in items] == ["Saw", "It", "Up"]
    assert lines_of(text, items) == [f"Saw (2004){end}", f"It (2017){end}", f"Up (2009){end}"]


def test_a_span_is_the_whole_line_with_its_decoration_and_line_break():
    text = 'Here you go:\n\n  1. **"Saw"** (2004) - bloody\n\n- It (2017)'

    assert lines_of(text, parse(text).items) == [
        '  1. **"Saw"** (2004) - bloody\n',
        "- It (2017)",
    ]


def test_the_text_of_an_item_ends_before_the_line_break_and_the_spaces_in_front_of_it():
    text = "- Saw (2004) - bloody  \r\nIt (2017)\t\nUp (2009)"

    items = parse(text).items

    assert [text[item.start : item.text_end] for item in items] == [
        "- Saw (2004) - bloody",
        "It (2017)",
        "Up (2009)",
    ]


def test_titles_below_a_number_of_their_own_line_end_where_they_stand():
    text = "1.\nSaw (2004), It (2017)\n2.\nUp (2009)"

    items = parse(text).items

    assert lines_of(text, items) == ["1.\nSaw (2004), ", "It (2017)\n", "2.\nUp (2009)"]
    assert [text[item.start : item.text_end] for item in items] == [
        "1.\nSaw (2004)",
        "It (2017)",
        "2.\nUp (2009)",
    ]


def test_a_solution_alone_counts_where_there_is_one():
    text = "Up (2009)\n<solution>\nSaw (2004)\n</Solution>\nIt (2017)\n<solution>Elf (2003)"

    assert titles_in(text) == [Title("Saw", 2004)]
    assert titles_in("Up (2009)\n<SOLUTION>\nSaw (2004)\nIt (2017)") == [
        Title("Saw", 2004),
        Title("It", 2017),
    ]


def test_tags_on_an_items_line_are_no_part_of_it():
    text = "<solution>Saw (2004)\nIt (2017)</solution>\n"

    items = parse(text).items

    assert lines_of(text, items) == ["Saw (2004)\n", "It (2017)"]
    assert [item.name for item in items] == ["Saw", "It"]
    assert parse(text).events == ()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("<reasoning>Saw (2004)</reasoning>It (2017)", ["It"]),
        ("<think>\nSaw (2004)\n</think>\nIt (2017)", ["It"]),
        ("<Thinking>\nSaw (2004)\n</THINKING>\nIt (2017)", ["It"]),
        ("Up (2009)\n<reasoning>\nSaw (2004)\n</reasoning>\nIt (2017)", ["Up", "It"]),
        ("<reasoning>\nSaw (2004)\nIt (2017)", []),
        ("<reasoning>\nSaw (2004)\n<solution>\nIt (2017)\n</solution>", ["It"]),
        ("<reasoning>\n<solution>\nSaw (2004)\n</solution>\n</reasoning>\nIt (2017)", ["It"]),
        ("<think><reasoning>\nSaw (2004)\n</think>\nIt (2017)", ["It"]),
        ("<solution>\n<think>\nSaw (2004)\n</think>\nIt (2017)\n</solution>", ["It"]),
        ("Saw (2004) it is\n</think>\nIt (2017)", ["It"]),
        ("a <solution> of\nSaw (2004)\n</think>\n<solution>\nIt (2017)", ["It"]),
        ("Up (2009)\n</solution>\nIt (2017)", ["Up", "It"]),
        ("<b>It</b> <3 (2017)", ["It <3"]),
    ],
)
def test_reasoning_yields_no_items(text, names):
    assert [item.name for item in parse(text).items] == names


def test_reasoning_has_no_events():
    text = "<think>\n1. Saw?\nhm\n</think>\n\nIt (2017)\n<think>\nand Up (20"

    assert events_in(text, finished=False) == []


def test_several_titles_on_a_line_take_a_rank_each_and_mentioned_ones_go_with_their_item():
    text = "Saw (2004) and It (2017), Up (2009)\nSaw II (2005) (2006)\nA (2001) - as good as B (2002)\n"

    parsed = parse(text)

    assert [item.title for item in parsed.items] == [
        Title("Saw", 2004),
        Title("It", 2017),
        Title("Up", 2009),
        Title("Saw II", 2005),
        Title("A", 2001),
    ]
    assert [text[item.start : item.text_end] for item in parsed.items[:3]] == [
        "Saw (2004)",
        "It (2017)",
        "Up (2009)",
    ]
    assert [item.further for item in parsed.items[3:]] == [(), (Title("as good as B", 2002),)]
    assert events_in(text) == [
        (EventKind.SECOND_TITLE, "Saw (2004) and It (2017), Up (2009)\n"),
        (EventKind.SECOND_TITLE, "A (2001) - as good as B (2002)\n"),
    ]


def test_numbered_lines_without_a_year_keep_their_rank_and_other_lines_are_other_text():
    text = (
        "Here are some films:\n1. Saw\n- It\n**Up**\n“Elf”\n\n"
        "**Horror:**\n## Films\n---\n```\nThat is all.\n2. Coco (2017)\n"
    )

    items = parse(text).items

    assert [(item.name, item.year, item.readable) for item in items] == [
        ("Saw", None, False),
        ("Coco", 2017, True),
    ]
    assert [kind for kind, _ in events_in(text)] == [
        EventKind.OTHER_TEXT,
        EventKind.UNREADABLE,
        *[EventKind.OTHER_TEXT] * 8,
    ]


def test_a_repeated_title_keeps_its_place():
    text = "The Matrix (1999)\nSaw (2004)\n2. Matrix, The (1999)\nSaw (2003)\n"

    assert [item.name for item in parse(text).items] == ["The Matrix", "Saw", "Matrix, The", "Saw"]
    assert events_in(text) == []


@pytest.mark.parametrize("last", ["It", "It (", "It (20", "It (2017", "3. **It", "It (2017-20"])
def test_an_unfinished_last_line_without_its_year_is_truncated(last):
    text = f"Saw (2004)\n{last}"

    assert titles_in(text, finished=False) == [Title("Saw", 2004)]
    assert events_in(text, finished=False) == [(EventKind.TRUNCATED, last)]


def test_a_finished_text_is_truncated_only_in_the_middle_of_a_year():
    assert events_in("Saw (2004)\nIt (20") == [(EventKind.TRUNCATED, "It (20")]
    assert events_in("Saw (2004)\nBye") == [(EventKind.OTHER_TEXT, "Bye")]
    assert events_in("It (20\n", finished=False) == [(EventKind.OTHER_TEXT, "It (20\n")]


def test_an_unfinished_last_line_with_its_year_is_an_item():
    assert titles_in("Saw (2004) - a fi", finished=False) == [Title("Saw", 2004)]
    assert events_in("Saw (2004)", finished=False) == []


@pytest.mark.parametrize("text", ["", "\n\n", "\r", "   ", "<solution></solution>", "<think>"])
def test_nothing_is_made_of_nothing(text):
    assert parse(text, finished=False).items == ()
    assert parse(text, finished=False).events == ()


@given(st.text(st.sampled_from('Sa1 .()2*_"-\r\n'), max_size=60), st.booleans())
def test_spans_are_separate_lines_in_order(text, finished):
    parsed = parse(text, finished=finished)

    before = 0
    for item in parsed.items:
        assert before <= item.start < item.end
        if item.readable:  # what an unreadable line is called is only shown
            assert item.name in text[item.start : item.end]
        before = item.end
    assert all(text[event.start : event.end].strip() for event in parsed.events)


@pytest.mark.parametrize(
    "hostile",
    [
        "<reasoning>",
        "<solution>",
        "<think></thinking>",
        "</solution>",
        "<",
        "(2004",
        " (2004)",
        "(2004-",
        "** ",
        "*_",
        '"',
        "1 ",
        "\r",
        " ",
    ],
)
def test_hostile_texts_of_a_hundred_thousand_characters_are_read(hostile):
    # In quadratic time each of these would take minutes.
    text = hostile * (100_000 // len(hostile))

    assert len(parse(text).items) <= 1
    assert len(parse(f"(2004- {text}\n1 {text}-\n").items) <= 3


def test_the_sections_of_a_text_without_tags_are_the_whole_of_it():
    assert list_sections("a < b") == [(0, 5)]


def test_unknown_options_are_refused():
    assert TitleYearParser() == TitleYearParser(year="required")
    with pytest.raises(ValidationError, match="separator"):
        TitleYearParser(separator="-")


@pytest.mark.parametrize(
    "line",
    [
        "1. Se7en - Heat (1995)",
        "1. Se7en – a thriller - Heat (1995)",
        "Se7en | Heat (1995)",
        "1. Se7en (Heat) (1995)",
        "1. Se7en, Heat (1995)",
    ],
    ids=["hyphen", "two dashes", "bar", "brackets", "comma"],
)
def test_a_line_of_two_titles_of_one_year_is_not_the_first_of_them(line, tmp_path):
    parser = with_catalog(tmp_path, {"title": "Se7en", "year": 1995}, {"title": "Heat", "year": 1995})

    (item,) = parser(line).items

    assert item.name not in {"Se7en", "Heat"}


@pytest.mark.parametrize(
    "line",
    ["1. Se7en - a thriller (1995)", "1. Se7en - Seven (1995)", "1. Se7en - Se7en (1995)"],
    ids=["remark", "alias", "itself"],
)
def test_what_is_no_other_title_of_the_year_is_left_out_of_a_title(line, tmp_path):
    parser = with_catalog(
        tmp_path,
        {"title": "Se7en", "year": 1995, "aliases": ["Seven"]},
        {"title": "Heat", "year": 1995},
        {"title": "A Thriller", "year": 1996},
    )

    (item,) = parser(line).items

    assert item.title == Title("Se7en", 1995)


def with_catalog(folder, *rows):
    path = folder / "catalog.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return TitleYearParser(catalog_path=path)


def test_completing_years_needs_a_catalog():
    with pytest.raises(ConfigError, match="--catalog-path"):
        TitleYearParser(year="complete")


def test_a_line_is_read_by_its_own_list_whatever_lists_it_stood_in_before():
    parse, line = TitleYearParser(), "300: Rise of an Empire (2014)"

    def named(text):
        return [item.name for item in parse(text).items]

    for _ in range(2):
        assert named(line) == ["300: Rise of an Empire"]
        assert named(f"299: Heat (1995)\n{line}") == ["Heat", "Rise of an Empire"]
        assert named(f"Coco (2017)\n\nAvoid these:\n{line}") == ["Coco"]
