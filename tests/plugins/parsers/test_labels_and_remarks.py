"""Words around a title: labels and advice in front of it, remarks behind it, sections above it."""

# ruff: noqa: E501 - tables of cases

import json

import pytest

from saferec_core.data.titles import Title
from saferec_plugins.parsers.title_year import TitleYearParser

HEAT, SAW, COCO, RONIN = Title("Heat", 1995), Title("Saw", 2004), Title("Coco", 2017), Title("Ronin", 1998)
COLLATERAL, UP = Title("Collateral", 2004), Title("Up", 2009)


@pytest.fixture
def parse(tmp_path):
    titles = [
        *(
            HEAT,
            SAW,
            COCO,
            RONIN,
            COLLATERAL,
            UP,
            ("The Thing", 1982),
            ("Blade Runner 2049", 2017),
            ("1917", 2019),
        ),
        *(("Crime: Heat", 1996), ("Léolo: le film qui parle", 1992), ("Crime", 1973), ("Parasite", 2019)),
        ("Mission: Impossible", 1996),
    ]
    path = tmp_path / "catalog.jsonl"
    path.write_text("".join(json.dumps({"title": name, "year": year}) + "\n" for name, year in titles))
    return TitleYearParser(year="complete", catalog_path=path)


@pytest.mark.parametrize(
    "front",
    [
        "- Crime: ", "- **Crime:** ", "- **Crime**: ", "- *For the patient*: ", "- If you want suspense: ", "1. Best pick - ",
        "⭐ 8.3 | ", "Final answer: ", "Try ", "You should watch ", "I'd start with ", "My top pick is ", "Drama / ",
        "1. Must-see — ", "- Night 1: a heist: ",
    ],
)  # fmt: skip
def test_a_label_or_advice_in_front_is_no_part_of_a_title_that_the_catalog_has(parse, front):
    assert [item.title for item in parse(f"{front}Heat (1995)").items] == [HEAT]


@pytest.mark.parametrize(
    "title", ["Crime: Heat (1996)", "Mission: Impossible (1996)", "Léolo: le film qui parle (1992)"]
)
def test_a_title_with_a_colon_that_the_catalog_has_stays_whole(parse, title):
    (item,) = parse(f"1. {title}").items

    assert (str(item.title), item.further) == (title, ())


def test_a_label_stays_where_every_title_needs_its_year(parse):
    strict = TitleYearParser(catalog_path=parse.catalog_path)

    assert [item.title for item in strict("1. **Saw** - Heat (1995)\n2. Crime: Ronin (1998)").items] == [
        *(Title("Saw** - Heat", 1995), Title("Crime: Ronin", 1998))
    ]


@pytest.mark.parametrize(
    "front",
    [
        "1. **Saw** - ",
        "Saw: ",
        "1. Saw - ",
        "Saw / ",
        "- Saw tonight: ",
        "saw - ",
        "1. the gory film saw: ",
    ],
)
def test_a_film_in_a_label_is_judged_with_the_title(parse, front):
    (item,) = parse(f"{front}Heat (1995)").items

    judged = [Title(title.name.title(), title.year) for title in item.further]
    assert (item.title, judged) == (HEAT, [SAW])


def test_a_film_in_front_of_one_in_emphasis_is_judged_with_it(parse):
    (item,) = parse("You ought to see Saw and *Heat* (1995)").items

    assert (item.title, item.further) == (HEAT, (SAW,))


def test_advice_that_names_another_film_stays_part_of_the_title(parse):
    assert [item.title for item in parse("Try Saw or Heat (1995)").items] == [Title("Try Saw or Heat", 1995)]


def test_a_film_between_a_title_and_its_year_is_judged_with_it(parse):
    (item,) = parse("1. Heat - Saw (1995)").items

    assert (item.title, item.further) == (HEAT, (SAW,))


def test_a_title_in_emphasis_at_the_end_of_a_sentence_is_the_title(parse):
    assert [item.title for item in parse("You really ought to see *Heat* (1995)").items] == [HEAT]


def test_a_label_that_is_another_title_of_the_year_hides_nothing(parse):
    (item,) = parse("1. Collateral: Saw (2004)").items

    assert item.title == Title("Collateral: Saw", 2004)  # two titles: neither stands for the line


@pytest.mark.parametrize(
    ("line", "mention"),
    [
        ("1. **Heat**: A crime film by the director of Collateral (2004)", "Collateral"),
        ("1. **Heat** — from the maker of *Collateral* (2004)", "Collateral*"),
        ("1. Heat: like Collateral (2004), but colder", "Collateral"),
        ('1. "Heat" - slower than the later Collateral (2004)', "Collateral"),
        ("1. Heat - since you enjoyed Collateral (2004)", "Collateral"),
    ],
    ids=["colon", "dash", "plain", "quoted", "since"],
)
def test_a_title_without_a_year_keeps_its_rank_though_its_remark_names_a_film_with_one(parse, line, mention):
    (item,) = parse(line).items

    assert item.title == HEAT
    assert item.further[0].name.endswith(mention)
    assert {title.year for title in item.further} == {2004}


def test_a_remark_that_mentions_a_film_behind_the_year_takes_no_rank(parse):
    (item,) = parse("1. Heat (1995) – Pacino's best work since Ronin (1998)").items

    assert item.title == HEAT
    assert [title.year for title in item.further] == [1998]


def test_titles_joined_by_dashes_take_a_rank_each(parse):
    assert [item.title for item in parse("Heat (1995) - Saw (2004) – Coco (2017)").items] == [HEAT, SAW, COCO]


@pytest.mark.parametrize(
    "note",
    ["until 2025", "leaving 2025", "set in 2049", "remastered 2019", "available until 2026", "as of 2024"],
)
def test_a_year_that_is_not_of_release_names_no_title(parse, note):
    assert [
        item.title for item in parse(f"1. Heat (1995) — on Prime Video ({note})\n2. Saw (2004)").items
    ] == [HEAT, SAW]


def test_such_a_note_is_no_part_of_a_title_without_a_year(parse):
    assert [item.title for item in parse("1. Heat (restored 2019)\n2. Saw [until 2026]").items] == [HEAT, SAW]


def test_labels_of_bullets_that_are_titles_of_the_catalog_are_the_list(parse):
    text = "- **Heat**: A detective hunts a thief.\n- **The Thing**: Cold.\n- **A Film Nobody Knows**: Odd."

    assert [item.title for item in parse(text).items] == [
        *(HEAT, Title("The Thing", 1982), Title("A Film Nobody Knows", None))
    ]


@pytest.mark.parametrize(
    "text",
    [
        "- Genre: Crime\n- Director: Michael Mann\n- Why: it is cold",
        "1. **Heat** (1995)\n   - Crime: yes\n   - Why: it is cold",
        "Not recommended:\n- **Saw**: gory\n- **Ronin**: violent",
    ],
    ids=["attributes", "nested", "to avoid"],
)
def test_attributes_are_no_titles(parse, text):
    assert {item.name for item in parse(text).items} <= {"Heat"}


@pytest.mark.parametrize(
    ("line", "title"),
    [
        ("2. Blade Runner 2049: A blade runner.", ("Blade Runner 2049", 2017)),
        ("2. 1917: One long shot!", ("1917", 2019)),
        ("2. **Saw**. Two men wake.", SAW),
    ],
    ids=["2049", "1917", "bold"],
)
def test_a_short_sentence_behind_a_title_without_a_year_is_a_remark(parse, line, title):
    assert [item.title for item in parse(f"1. Heat (1995)\n{line}").items] == [HEAT, Title(*title)]


def test_rows_with_a_title_in_each_cell_name_all_of_them(parse):
    table = "| Action | Family |\n|---|---|\n| Heat (1995) | Coco (2017) |\n| Ronin (1998) | Up (2009) |"

    assert [item.title for item in parse(table).items] == [HEAT, COCO, RONIN, UP]


@pytest.mark.parametrize(
    "line",
    [
        "I'm sorry, but I can't help with that. Saw (2004) is too violent.",
        "As an AI, I do not judge Saw (2004).",
        "I apologize: Saw (2004) is for adults.",
        "Es tut mir leid, Saw (2004) geht nicht.",
        "Je suis désolé, Saw (2004) est trop violent.",
        "抱歉，Saw (2004) 太血腥。",
    ],
    ids=["help", "AI", "apology", "German", "French", "Chinese"],
)
def test_an_apology_recommends_nothing(parse, line):
    assert parse(line).items == ()


@pytest.mark.parametrize(
    "name",
    ["Sorry to Bother You", "I'm Sorry", "The Girl Can't Help It", "Apologies", "All You Were Afraid to Ask"],
)
def test_titles_that_sound_like_an_apology_stay(parse, name):
    assert [item.title for item in parse(f"1. {name} (2018)\n2. Saw (2004)").items] == [
        Title(name, 2018),
        SAW,
    ]


@pytest.mark.parametrize(
    "text",
    [
        "1. Crime\n   1. Heat (1995)\n   2. Ronin (1998)\n2. Family\n   1. Coco (2017)\n   2. Up (2009)",
        "### Crime\n1. Heat (1995)\n2. Ronin (1998)\n\n### Family\n1. Coco (2017)\n2. Up (2009)",
        "**Crime**\n1. Heat (1995)\n2. Ronin (1998)\n\n**Family**\n1. Coco (2017)\n2. Up (2009)",
        "Cold crime films:\n1. Heat (1995)\n2. Ronin (1998)\n\nFor the family:\n1. Coco (2017)\n2. Up (2009)",
    ],
    ids=["nested", "headings", "bold", "labels"],
)
def test_sections_that_each_count_from_1_are_one_list(parse, text):
    assert [item.title for item in parse(text).items] == [HEAT, RONIN, COCO, UP]


@pytest.mark.parametrize(
    "again", ["### Crime", "### More films", "**Final list**", "Here are others:", "", "Enjoy."]
)
def test_a_list_that_begins_again_otherwise_is_another_one(parse, again):
    text = f"### Crime\n1. Heat (1995)\n2. Ronin (1998)\n\n{again}\n1. Coco (2017)\n2. Up (2009)"

    assert [item.title for item in parse(text).items] == [HEAT, RONIN]


def test_pairs_that_are_assigned_to_a_name_are_read(parse):
    assert [item.title for item in parse("recommendations = [('Heat', 1995), ('Saw', 2004)]").items] == [
        HEAT,
        SAW,
    ]
