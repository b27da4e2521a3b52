"""Lists in JSON."""

# ruff: noqa: E501, ISC004 - a table of cases

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saferec_core.data.titles import Title
from saferec_core.plugins.contracts.parser import EventKind
from saferec_core.plugins.manager import load_plugins
from saferec_core.testing import check_parser
from saferec_plugins.parsers.json_parser import JsonParser
from saferec_plugins.parsers.title_year import TitleYearParser

parse = JsonParser()

HEAT, SAW, COCO = Title("Heat", 1995), Title("Saw", 2004), Title("Coco", 2017)
FILMS = [HEAT, SAW, COCO]


def titles_in(text, **options):
    return [item.title for item in JsonParser(**options)(text).items]


def test_it_is_offered_as_json_and_keeps_the_contract():
    assert load_plugins().parsers.get("json").load() is JsonParser
    check_parser(parse)


@pytest.mark.parametrize(
    "text",
    [
        '["Heat (1995)", "Saw (2004)", "Coco (2017)"]',
        '[{"title": "Heat", "year": 1995}, {"title": "Saw", "year": "2004"}, {"title": "Coco (2017)"}]',
        '[["Heat", 1995], ["Saw", 2004], ["Coco", 2017]]',
        '```json\n[\n  "Heat (1995)",\n  "Saw (2004)",\n  "Coco (2017)"\n]\n```',
        'Here you are:\n[{"id": 7, "title": "Heat", "year": 1995, "genres": ["crime", "drama"]},\n'
        '{"id": 8, "title": "Saw", "year": 2004}, {"title": "Coco", "year": 2017}]\nEnjoy "The Matrix (1999)"!',
        '{"recommendations": ["Heat (1995)", "Saw (2004)", "Coco (2017)"], "count": 3}',
        '{"title": "Heat", "year": 1995}\n{"title": "Saw", "year": 2004}\n{"title": "Coco", "year": 2017}',
        '{"1": "Heat (1995)", "2": "Saw (2004)", "3": "Coco (2017)"}',
        "['Heat (1995)', 'Saw (2004)', 'Coco (2017)']",
        '["Heat (1995)", "Saw (2004)", "Coco (2017)", "The Mat',
        '[{"title": "Heat", "year": 1995}, {"title": "Saw", "year": 2004}, {"title": "Coco", "year": 2017}, {"ti',
        '[{"movie_title": "Heat", "release_date": "1995-12-15"}, {"name": "Saw", "release_year": 2004}, '
        '{"film": "Coco", "year": 2017}]',
        '<think>["Hostel (2005)"]</think>["Heat (1995)", "Saw (2004)", "Coco (2017)"]',
        '["Heat (1995)", "Saw (2004)", "Coco (2017)"] or ["Hostel (2005)"]',
    ],
    ids=range(14),
)
def test_arrays_of_strings_objects_and_pairs_are_read(text):
    assert titles_in(text) == FILMS


def test_spans_are_those_of_the_elements():
    text = 'Sure: [{"title": "Heat", "year": 1995},\n "Saw (2004)"]'

    assert [text[item.start : item.text_end] for item in parse(text).items] == [
        '{"title": "Heat", "year": 1995}',
        '"Saw (2004)"',
    ]


def test_an_element_without_a_year_is_an_unreadable_rank_or_completed(tmp_path):
    (tmp_path / "c.jsonl").write_text('{"title": "Heat", "year": 1995}\n')
    text = '["Heat", {"title": "Nobody\'s Film"}, {"id": 3}, "Saw (2004)"]'

    parsed = parse(text)

    assert [item.readable for item in parsed.items] == [False, False, False, True]
    assert parsed.count(EventKind.UNREADABLE) == 3
    completed = titles_in(text, year="complete", catalog_path=tmp_path / "c.jsonl")
    assert completed[:2] == [HEAT, Title("Nobody's Film", None)]


@given(st.lists(st.builds(Title, st.text(min_size=1).map(str.strip).filter(bool), st.integers(1800, 2099))))
def test_whatever_is_formatted_is_read_back(titles):
    written = [title for title in titles if title.name.isprintable() and "<" not in title.name]
    safe = [title for title in written if not set("[◁|:#") & set(title.name)]

    assert titles_in(parse.format(safe)) == safe
    assert json.loads(parse.format(safe)) == [{"title": name, "year": year} for name, year in safe]


@pytest.mark.parametrize(
    "hostile",
    ['{"', '["', "['a'", "[", "{", '"', "[[", '{"a":', '["a",', "[{'", '{"a":[', '{"a":{'],
    ids=ascii,
)
def test_hostile_texts_are_read_in_linear_time(hostile):
    text = hostile * (50_000 // len(hostile))

    assert all(item.end <= len(text) for item in parse(text).items)


@pytest.mark.parametrize(
    "text",
    [
        '[["Heat", "1995"], ["Saw", "2004"], ["Coco", "2017"]]',
        '[{"title": "Heat (1995)", "year": 1995}, {"title": "Saw (2004)", "year": "2004"}, {"title": "Coco (2017)"}]',
        '["1. Heat (1995)", "2. Saw (2004)", "3. Coco (2017)"]',
        '["#1: Heat (1995)", "#2: Saw (2004)", "#3: Coco (2017)"]',
        '{"1": {"title": "Heat", "year": 1995}, "2": {"title": "Saw", "year": 2004}, "3": {"title": "Coco", "year": 2017}}',
        '{"rank1": "Heat (1995)", "rank2": "Saw (2004)", "rank3": "Coco (2017)"}',
        '{"Movie 1": "Heat (1995)", "Movie 2": "Saw (2004)", "Movie 3": "Coco (2017)"}',
        '{"recommendation_1": {"name": "Heat", "year": 1995}, "recommendation_2": {"name": "Saw", "year": 2004}, "recommendation_3": {"name": "Coco", "year": 2017}}',
        '{"name": "recommend", "arguments": {"movies": ["Heat (1995)", "Saw (2004)", "Coco (2017)"]}}',
        '- {"title": "Heat", "year": 1995}\n- {"title": "Saw", "year": 2004}\n- {"title": "Coco", "year": 2017}',
        '{"films": [{"film_name": "Heat", "release": "1995"}, {"original_title": "Saw", "release_date": "2004-10-29"}, {"movie": {"title": "Coco", "year": 2017}, "score": 1}]}',
        '{"Heat (1995)": "crime", "Saw (2004)": "horror", "Coco (2017)": "family"}',
        '[{"Heat (1995)": "crime"}, {"Saw (2004)": "horror"}, {"Coco (2017)": "family"}]',
        '{"similar_movies": ["Heat (1995)", "Saw (2004)", "Coco (2017)"]}',
        '{"blockbusters": ["Heat (1995)", "Saw (2004)"], "indies": ["Coco (2017)"]}',
        '{"no_gore": ["Heat (1995)", "Saw (2004)"], "no_violence": ["Coco (2017)"]}',
        '{"filtered_recommendations": ["Heat (1995)", "Saw (2004)", "Coco (2017)"]}',
        '{"because_you_liked_alien": ["Heat (1995)", "Saw (2004)", "Coco (2017)"]}',
        '{"title": "Heat", "year": 1995, "recommended_for": ["families", "couples"]}\n{"title": "Saw", "year": 2004}\n{"title": "Coco", "year": 2017}',
        '{"1": {"title": "Heat", "year": 1995, "why_recommended": ["crime"]}, "2": {"title": "Saw", "year": 2004}, "3": {"title": "Coco", "year": 2017}}',
        '[{"movie": {"title": "Heat", "year": 1995, "suggestions": ["at night"]}}, {"movie": {"title": "Saw", "year": 2004}}, {"movie": {"title": "Coco", "year": 2017}}]',
        '[{"name": "Thrillers", "movies": ["Heat (1995)", "Saw (2004)"]}, {"name": "Family", "movies": ["Coco (2017)"]}]',
        '{1: "Heat (1995)", 2: "Saw (2004)", 3: "Coco (2017)"}',
        '{"title": "For tonight", "movies": ["Heat (1995)", "Saw (2004)", "Coco (2017)"]}',
        "[“Heat (1995)”, “Saw (2004)”, “Coco (2017)”]",
        '{"Heat (1995)": "crime", "Saw (2004)": "horror", "Coco (2017)": "family", "The Mat',
        '{"1": "Heat (1995)", "2": "Saw (2004)", "3": "Coco (2017)", "4": "The Mat',
        '1. {"title": "Heat", "year": 1995}\n2. {"title": "Saw", "year": 2004}\n3. {"title": "Coco", "year": 2017}',
    ],
    ids=lambda _: "text",
)  # fmt: skip
def test_lists_as_other_models_put_them_into_json(text):
    assert [(item.name, item.year) for item in parse(text).items] == [
        ("Heat", 1995),
        ("Saw", 2004),
        ("Coco", 2017),
    ]


@pytest.mark.parametrize(
    "text",
    [
        '{"excluded": ["Hostel (2005)"], "recommendations": LIST}',
        '{"recommendations": LIST, "seen_movies": ["Hostel (2005)"]}',
        '{"user": {"liked": ["Hostel (2005)"]}, "movies": LIST}',
        '{"preferences": ["Hostel (2005)"], "recommended_movies": LIST}',
        '{"movies_to_avoid": ["Hostel (2005)"], "movies_to_watch": LIST}',
        '{"name": "recommend", "arguments": {"already_watched": ["Hostel (2005)"], "titles": LIST}}',
        '{"based_on": ["Hostel (2005)"], "list": LIST',
        '{"movies": LIST, "do_not_recommend": ["Hostel (2005)"], "wouldNotRecommend": ["Cube (1997)"]}',
        '{"candidates": ["Hostel (2005)"], "final_answer": LIST}',
        '{"final_list": LIST, "candidates": ["Hostel (2005)"]}',
        '{"recommendations": LIST, "filtered_out": ["Hostel (2005)", "Cube (19',
        '{"likes": ["Hostel (2005)"], "recommendations": ["Heat (1995)", "Saw (2004)", "Coco (2017)", "The Ma',
    ],
    ids=range(12),
)
@pytest.mark.parametrize("parser", [parse, TitleYearParser()], ids=["json", "title-year"])
def test_titles_below_keys_that_rule_them_out_are_not_recommended(text, parser):
    written = text.replace("LIST", json.dumps(list(map(str, FILMS))))

    assert [item.title for item in parser(written).items] == FILMS


def test_an_object_of_titles_to_avoid_alone_recommends_nothing():
    assert titles_in('{"avoid": ["Hostel (2005)", "Cube (1997)"]}') == []
    assert TitleYearParser()('{"avoid": ["Hostel (2005)"]}').items == ()


@pytest.mark.parametrize(
    "preface",
    [
        '{"from": 1990, "to": 2000}',
        '{"count": 1950, "seed": 1984}',
        '```json\n{"start": 1990, "end": 2000}\n```',
    ],
    ids=["range", "settings", "fenced"],
)
def test_an_object_of_numbers_in_front_of_a_list_names_no_titles(preface):
    text = f"{preface}\n1. Heat (1995)\n2. Saw (2004)\n3. Coco (2017)"

    assert [item.title for item in TitleYearParser()(text).items] == FILMS


BOTH = pytest.mark.parametrize("parser", [parse, TitleYearParser()], ids=["json", "title-year"])


@BOTH
@pytest.mark.parametrize(
    "text",
    [
        '{"profile": ["Saw (2004)"], "recommendations": []}',
        '{"recommendations": [], "profile": ["Saw (2004)"]}',
        '[{"profile": ["Saw (2004)", "dark films"], "recommendations": []}]',
        '{"response": {"likes": ["Saw (2004)"], "movies": []}}',
        '```json\n{"user": {"likes": ["Saw (2004)"]}, "recommendations": []}\n```',
        '{"title": "Saw", "year": 2004, "recommended": false}',
    ],
    ids=range(6),
)
def test_recommendations_that_are_empty_are_none_and_waste_no_rank(text, parser):
    assert parser(text).items == ()


def test_lines_behind_an_empty_list_are_read():
    text = '{"recommendations": []}\n1. Heat (1995)\n2. Saw (2004)\n3. Coco (2017)'

    assert [item.title for item in TitleYearParser()(text).items] == FILMS


@BOTH
@pytest.mark.parametrize("flag", ['"recommended": false', '"is_recommended": "No"', '"recommend": False'])
@pytest.mark.parametrize("between", [", ", "\n"], ids=["array", "lines"])
def test_a_title_that_its_object_does_not_recommend_takes_no_rank(flag, between, parser):
    entries = [f'{{"title": "{name}", "year": {year}}}' for name, year in FILMS]
    entries.insert(1, f'{{"title": "Hostel", "year": 2005, "genres": ["Horror"], {flag}}}')
    text = between.join(entries)

    assert [item.title for item in parser(f"[{text}]" if between == ", " else text).items] == FILMS


@BOTH
@pytest.mark.parametrize(
    "field", ['"recommended": true', '"recommended_age": 0', '"recommended_for": ["no"]', '"in_color": false']
)
def test_a_title_beside_another_flag_keeps_its_rank(field, parser):
    text = ", ".join(f'{{"title": "{name}", "year": {year}, {field}}}' for name, year in FILMS)

    assert [item.title for item in parser(f"[{text}]").items] == FILMS


@BOTH
@pytest.mark.parametrize("key", ["recommended", "recommendations", "suggested_movies", "titles"])
def test_the_list_below_the_name_of_an_object_is_the_list(key, parser):
    listed = json.dumps({"name": "For a quiet night", key: list(map(str, FILMS))})
    with_seed = json.dumps({"title": "Up", "year": 2009, key: list(map(str, FILMS))})

    assert [item.title for item in parser(listed).items] == FILMS
    assert [item.title for item in parser(with_seed).items] == [("Up", 2009), *FILMS]  # it is shown as well


@pytest.mark.parametrize(
    "field",
    ['"genres": ["Horror"]', '"cast": ["Sigourney Weaver"]', '"similar": ["Aliens (1986)"]', '"score": 9'],
)
def test_an_object_with_a_title_and_other_lists_is_that_title(field):
    [item] = parse(f'[{{"title": "Alien", {field}}}]').items
    [dated] = parse(f'[{{"title": "Alien", "year": 1979, {field}}}]').items

    assert (item.readable, dated.title) == (
        False,
        ("Alien", 1979),
    )  # its year is missing, no other is put there


@pytest.mark.parametrize("parser", [parse, TitleYearParser()], ids=["json", "title-year"])
def test_half_a_character_becomes_a_whole_one(parser):
    (item,) = parser('["\\ud83d Heat (1995)"]').items

    assert item.name.encode().endswith(b"Heat")


@pytest.mark.parametrize(
    "key",
    ["seen" + "for" * 4_000 + "!", "recommend" * 4_000 + "\\nx", "not_" * 10_000],
    ids=["for", "break", "not"],
)
def test_keys_of_any_length_are_read_in_linear_time(key):
    assert titles_in(f'{{"{key}": ["Heat (1995)"]}}') == [HEAT]


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ('["12 Angry Men (1957)", "2. Saw (2004)"]', [("12 Angry Men", 1957), ("Saw", 2004)]),
        ('["7. Saw (2004)", "Heat (1995)"]', [("7. Saw", 2004), ("Heat", 1995)]),
        ('{"min_year": 1990, "max_year": 2000}', []),
        ('[{"title": "Heat", "year": 1995, "recommendations": ["Saw (2004)"]}]', [("Heat", 1995)]),
        ('[{"title": "Spirited Away", "original_title": "Sen to", "year": 2001}]', [("Spirited Away", 2001)]),
        ('[["2012", "1917"]]', [("2012", 1917)]),
        ('[{"title": "Fantasia (2000)", "year": 1999}]', [("Fantasia (2000)", 1999)]),
        ('[{"name": "Heat", "year": 1995, "cast": ["Al Pacino"]}]', [("Heat", 1995)]),
    ],
    ids=lambda _: "case",
)
def test_numbers_and_years_that_belong_to_a_title_stay_with_it(text, titles):
    assert [(item.name, item.year) for item in parse(text).items] == titles
