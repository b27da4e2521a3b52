import json

import pytest

from saferec_core.data.catalog import Catalog
from saferec_core.data.records import Record
from saferec_core.data.titles import Title
from saferec_core.errors import DataError
from saferec_core.evaluation.predictions import read_predictions
from saferec_plugins.parsers.title_year import TitleYearParser

CATALOG = Catalog([Title("Saw", 2004), Title("Heat", 1995)], ids={0: "tt1", 1: "7"})
RECORDS = {n: Record(prompt=(), columns={"id": name}) for n, name in enumerate(["ann", "bob", "cem"])}


@pytest.fixture
def read(tmp_path):
    def run(*rows, used=(0, 1, 2), records=RECORDS, catalog=CATALOG):
        path = tmp_path / "lists.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        chosen = {position: records[position] for position in used}
        answers = read_predictions(path, records, chosen, TitleYearParser(), catalog)
        return [[[item.title for item in one.parsed.items] for one in siblings] for siblings in answers]

    return run


SAW, HEAT = Title("Saw", 2004), Title("Heat", 1995)


def test_a_row_names_its_record_by_id_or_position_and_its_list_in_any_form(read):
    lists = read(
        {"id": "cem", "titles": [{"title": "Saw", "year": 2004}, "Heat"]},
        {"position": 0, "titles": ["Saw (2004)", ["Heat", 1995]]},
        {"id": "bob", "completion": "Gladly:\n1. Heat (1995)"},
    )

    assert lists == [[[SAW, HEAT]], [[HEAT]], [[SAW, Title("Heat", None)]]]


def test_a_completion_that_was_cut_off_does_not_end_in_half_a_title(tmp_path):
    path, catalog = tmp_path / "lists.jsonl", tmp_path / "catalog.jsonl"
    catalog.write_text(json.dumps({"title": "Heat", "year": 1995}) + "\n")
    parser = TitleYearParser(year="complete", catalog_path=catalog)
    listed = {}
    for reason in ("stop", "length", "MAX_TOKENS", ["stop"]):
        row = {"position": 0, "completion": "1. Heat (1995)\n2. The Term", "finish_reason": reason}
        path.write_text(json.dumps(row) + "\n")
        [[answer]] = read_predictions(path, RECORDS, {0: RECORDS[0]}, parser, CATALOG)
        listed[str(reason)] = [item.name for item in answer.parsed.items]

    whole, cut_off = ["Heat", "The Term"], ["Heat"]
    assert listed == {"stop": whole, "length": cut_off, "MAX_TOKENS": cut_off, "['stop']": whole}


def test_a_year_under_another_name_is_not_taken_for_an_unknown_one(read):
    with pytest.raises(DataError, match="the year of 'Saw' is called 'release_year'; call it 'year'"):
        read({"position": 0, "titles": [{"title": "Saw", "release_year": 2004}]}, used=[0])


def test_titles_may_be_named_by_the_ids_of_the_catalog(read):
    rows = [{"position": 0, "items": ["tt1", 7]}, {"position": 1, "items": []}]

    assert read(*rows, {"position": 2, "items": [7, "tt1"], "scores": [1, 2]}) == [
        [[SAW, HEAT]],
        [[]],
        [[SAW, HEAT]],
    ]
    with pytest.raises(DataError, match="the catalog has no title with the id: 'tt9' \\(line 3\\)"):
        read(*rows, {"position": 2, "items": ["tt9"]})
    twice = Catalog([SAW, HEAT, SAW], ids={0: "tt1", 1: "tt1", 2: "tt2"})
    with pytest.raises(DataError, match="several titles of the catalog have the id: 'tt1'"):
        read({"position": 0, "items": ["tt2", "tt1"]}, used=[0], catalog=twice)
    with pytest.raises(DataError, match="'items' are ids, but the catalog has no column 'id'"):
        read({"position": 0, "items": ["tt1"]}, used=[0], catalog=Catalog([SAW]))


def test_scores_put_titles_in_falling_order_and_equal_ones_stay_as_they_are(read):
    titles = ["A (2000)", "B (2000)", "C (2000)"]
    assert [
        title.name for title in read({"position": 0, "titles": titles, "scores": [1, 2.5, 1]}, used=[0])[0][0]
    ] == [
        "B",
        "A",
        "C",
    ]


def test_samples_of_a_record_are_kept_apart_and_lists_of_unused_records_left_out(read):
    rows = [{"position": n, "sample": s, "titles": [f"T{n}{s} (2000)"]} for n in (1, 0) for s in (1, 0)]

    assert [[one[0].name for one in siblings] for siblings in read(*rows, used=[0])] == [["T00", "T01"]]


def test_an_empty_list_is_a_list(read):
    assert read({"position": 0, "titles": []}, used=[0]) == [[[]]]


def test_everything_that_is_wrong_stands_in_one_message_with_its_rows(read):
    with pytest.raises(DataError) as error:
        read(
            {"id": "nobody", "titles": []},
            {"position": 3, "titles": []},
            {"titles": []},
            {"id": "ann", "titles": []},
            {"id": "ann", "titles": []},
            {"id": "bob", "titles": [7]},
            {"id": "bob", "titles": ["Saw (2004)"], "scores": [1, 2]},
            {"id": "bob", "completion": "Saw (2004)", "titles": []},
        )

    message = str(error.value)
    for part in (
        "no held-out record has the id: 'nobody' (line 1)",
        "no held-out record has the position (0 to 2): 3 (line 2)",
        "by 'id' or 'position', but has 'titles': line 3",
        "a record has two lists; number them by 'sample': id 'ann' (line 5)",
        "an object with title and year: 7 (line 6)",
        "one for each title: [1, 2] (line 7)",
        "one of 'completion', 'titles' and 'items', but has 'id', 'completion', 'titles': line 8",
        "1 record has no list; an empty one is written as titles = []: position 2",
    ):
        assert part in message
    assert message.startswith("8 problems in the predictions")


def test_many_problems_of_a_kind_are_counted(read):
    with pytest.raises(DataError, match=r"'x4' \(line 5\) and 15 more"):
        read(*({"id": f"x{n}", "titles": []} for n in range(20)))


def test_an_id_that_two_records_share_names_neither(read):
    twins = {0: Record(prompt=(), columns={"id": 1}), 1: Record(prompt=(), columns={"id": "1"})}
    with pytest.raises(DataError, match="several held-out records have the id"):
        read({"id": 1, "titles": []}, used=[0], records=twins)


def test_tables_hold_lists_and_numbers_as_text(tmp_path):
    path = tmp_path / "lists.csv"
    path.write_text(
        'id,position,sample,titles,scores\n,0,0,"[""Saw (2004)"", [""Heat"", 1995]]","[0.1, 0.9]"\n'
        'bob,,,"[]",\ncem,,0.0,"[{""title"": ""Saw"", ""year"": ""2004""}]",\n'
    )
    answers = read_predictions(path, RECORDS, RECORDS, TitleYearParser(), CATALOG)

    assert [[item.title for item in siblings[0].parsed.items] for siblings in answers] == [
        [HEAT, SAW],
        [],
        [SAW],
    ]


def test_numbers_that_pandas_made_fractions_are_whole(read):
    ids = {0: Record(prompt=(), columns={"id": 12})}

    assert read({"id": 12.0, "items": [7.0]}, used=[0], records=ids) == [[[HEAT]]]
    fractions = {0: Record(prompt=(), columns={"id": 12.0})}
    assert read({"id": 12.0, "items": [7.0]}, used=[0], records=fractions) == [[[HEAT]]]
    assert read({"position": 0.0, "completion": ""}, used=[0]) == [[[]]]


def test_completions_may_be_messages_as_records_have_them(read):
    message = {"role": "assistant", "content": "1. Saw (2004)"}

    assert read({"position": 0, "completion": [message]}, used=[0]) == [[[SAW]]]


@pytest.mark.parametrize(
    ("entry", "title"),
    [
        (["Saw (2004)", None], SAW),
        (["Saw (2004)", 2004], SAW),
        ({"title": "Saw", "year": "N/A"}, Title("Saw", None)),
        ({"title": "Saw", "year": "2004-10-29"}, SAW),
        ("Fawlty Towers (1975-1979)", Title("Fawlty Towers", 1975)),
    ],
    ids=["year in the title alone", "year twice", "no year", "date", "series"],
)
def test_titles_are_read_as_in_every_other_file(read, entry, title):
    assert read({"position": 0, "titles": [entry]}, used=[0]) == [[[title]]]


def test_rows_of_another_program_are_refused_with_the_columns_that_they_have(read):
    with pytest.raises(DataError) as error:
        read({"user_id": "ann", "item_id": 7, "score": 0.5}, {"user_id": "bob", "item_id": 7, "score": 0.5})
    assert str(error.value).endswith(
        "name its record by 'id' or 'position', but has 'user_id', 'item_id', 'score': line 1, line 2"
    )  # and not that all records lack a list
    with pytest.raises(
        DataError, match=r"a row must hold a whole list.*but has 'id', 'title', 'rank': line 1"
    ):
        read({"id": "ann", "title": "Saw (2004)", "rank": 0}, used=[0])


def test_a_file_without_rows_is_refused(read):
    with pytest.raises(DataError, match="holds no predictions"):
        read()


def test_a_sample_with_a_huge_number_is_refused_at_once(read):
    rows = [{"position": position, "titles": []} for position in range(3)]

    with pytest.raises(DataError, match=r"records have fewer than 2000000001 samples: position 0"):
        read(*rows, {"position": 0, "titles": [], "sample": 2_000_000_000})
