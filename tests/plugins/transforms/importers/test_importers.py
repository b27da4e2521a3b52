"""Importers: raw rows of dialogues, ratings and tables become samples in one form."""

from __future__ import annotations

import csv
import gzip
import json
import math
from datetime import datetime
from itertools import pairwise

import pytest
from pydantic import ValidationError

from saferec_core.data.records import constraints_of, messages_of, seen_titles_of, titles_of
from saferec_core.data.rows import read_rows
from saferec_core.errors import ConfigError, DataError
from saferec_core.plugins.build import build
from saferec_core.plugins.contracts.transform import Counted, Rejected, Removed
from saferec_plugins.transforms.importers.inspired import FromInspired
from saferec_plugins.transforms.importers.movielens import FromMovielens
from saferec_plugins.transforms.importers.named_films import names_film
from saferec_plugins.transforms.importers.raw_values import moment, title_and_year, titles_in
from saferec_plugins.transforms.importers.reddit import FromReddit
from saferec_plugins.transforms.importers.redial import FromRedial
from saferec_plugins.transforms.importers.table import FromTable
from tests.shared import SHARED

DATA = SHARED / "data"
TRUTH = "groundtruth_with_release_year"


class Imported:
    """What became of rows, taken as the engine takes it: an error rejects the row read last."""

    def __init__(self, transform, rows):
        self.rows, self.removed, self.rejected, self.counted = [], [], [], []
        source = iter(rows)
        last = []

        def reading():
            for row in source:
                last[:] = [row]
                yield row

        outcomes = transform(reading())
        while True:
            try:
                outcome = next(outcomes, None)
            except DataError as error:
                self.rejected.append(Rejected(last[0], str(error)))
                outcomes = transform(reading())
                continue
            if outcome is None:
                break
            kinds = {Removed: self.removed, Rejected: self.rejected, Counted: self.counted}
            kinds.get(type(outcome), self.rows).append(outcome)

    @property
    def reasons(self):
        return [outcome.reason for outcome in (*self.removed, *self.rejected)]

    def examples(self, what):
        return [counted.example for counted in self.counted if what in counted.what]


def real(*parts):
    path = DATA.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"real data are not beside the checkout ({path})")
    return path


def assert_one_form(samples):
    """Every sample can be read as a record, ends with the user, and has unseen ground truth only."""
    assert len({sample["id"] for sample in samples}) == len(samples)
    for sample in samples:
        messages = messages_of(sample)
        assert messages[0]["role"] in {"system", "user"}
        assert messages[-1]["role"] == "user"
        assert all(message["content"].strip() for message in messages)
        assert all(one["role"] != other["role"] for one, other in pairwise(messages))
        seen = {tuple(title) for title in sample["seen_titles"]}
        assert len(seen) == len(seen_titles_of(sample))
        truth = titles_of(sample)
        assert truth
        assert not seen & set(truth)
        assert isinstance(sample["user"], str)
        assert json.loads(json.dumps(sample, allow_nan=False)) == sample


# --- values of raw files ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "title"),
    [
        ("Heat (1995)", ("Heat", 1995)),
        ("  A Scanner Darkly  (2006) ", ("A Scanner Darkly", 2006)),
        ("(500) Days of Summer (2009)", ("(500) Days of Summer", 2009)),
        ("Seven (a.k.a. Se7en) (1995)", ("Seven (a.k.a. Se7en)", 1995)),
        ("Matrix, The (1999)", ("Matrix, The", 1999)),
        ("2001: A Space Odyssey", ("2001: A Space Odyssey", None)),
        ("Monk (2002-2009)", ("Monk", 2002)),
        ("Monk (2002–)", ("Monk", 2002)),
        ("Babylon 5", ("Babylon 5", None)),
        ("(1999)", ("(1999)", None)),
        ("Ocean's (12345)", ("Ocean's (12345)", None)),
    ],
)
def test_a_title_is_split_from_the_year_behind_it(written, title):
    assert title_and_year(written) == title


@pytest.mark.parametrize(
    ("year", "known"),
    [(1999, 1999), ("1999", 1999), ("1999.0", 1999), (1999.0, 1999), ("", None), (None, None)],
)
def test_years_come_in_every_spelling_of_a_whole_number_or_not_at_all(year, known):
    assert titles_in([["Heat", year]], "seen") == [("Heat", known)]
    assert titles_in([{"title": "Heat", "year": year}], "seen") == [("Heat", known)]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([["Heat", "soon"]], "the year of 'Heat' must be a whole number, but is 'soon'"),
        ([["Heat", math.inf]], "the year of 'Heat' must be a whole number"),
        ([["", 1995]], "expected a title, but got ''"),
        ([[None, 1995]], "expected a title, but got None"),
        ([["Heat", 1995, 1]], r"expected \[title, year\] or \"Title \(Year\)\", but got \['Heat', 1995, 1\]"),
        ([7], "but got 7"),
        ("Heat (1995)", "expected a list of titles, but got 'Heat"),
        ({"Heat": 1995}, "expected a list of titles"),
        (7, "expected a list of titles, but got 7"),
    ],
)
def test_what_is_no_list_of_titles_is_told(value, message):
    with pytest.raises(DataError, match=message):
        titles_in(value, "seen")


def test_times_are_seconds_or_dates():
    # 2020-01-01T00:00:00Z is 1577836800.
    seconds = (1577836800, 1577836800.0, "1577836800", "1577836800.0")
    dates = ("2020-01-01", "20200101", "2020", 2020, "2020-01-01T01:00:00+01:00", datetime(2020, 1, 1))  # noqa: DTZ001
    for value in (*seconds, *dates):
        assert moment(value, "time") == 1577836800
    for value in ("yesterday", "", None, True, [1], "nan", "20201399", "inf"):
        with pytest.raises(DataError, match="time must be seconds since 1970 or a date"):
            moment(value, "time")
    with pytest.raises(DataError, match="milliseconds"):
        moment(1577836800000, "time")


def test_a_film_is_named_by_whole_words_however_they_are_run_together():
    assert names_film("i loved avengers: end game!", "Avengers: Endgame")
    assert names_film("Have you seen Amelie?", "Amélie")
    assert names_film("the matrix rules", "Matrix, The")
    assert names_film("Fast and Furious it is", "Fast & Furious")
    assert not names_film("a wonderful woman", "Wonder Woman")
    assert not names_film("It was about us", "It")
    assert not names_film("", "Heat")


def test_where_titles_are_guessed_one_word_needs_its_capital():
    assert names_film("I saw Heat", "Heat", capital=True)
    assert not names_film("I feel the heat", "Heat", capital=True)
    assert names_film("i saw despicable me", "Despicable Me", capital=True)
    assert names_film("1917 was long", "1917", capital=True)


# --- ReDial -------------------------------------------------------------------------------------

SEEKER, HELPER = 7, 9


def redial(*texts, movies=None, seekers=None, helpers=None, **other):
    """An official dialogue; what is said is a text, of the seeker if it starts with '?'."""
    names = {"11": "Heat (1995)", "22": "Saw (2004)", "33": "Big (1988)", "44": "The Office"}
    messages = [
        {
            "messageId": number,
            "text": text.removeprefix("?"),
            "timeOffset": number,
            "senderWorkerId": SEEKER if text.startswith("?") else HELPER,
        }
        for number, text in enumerate(texts)
    ]
    return {
        "conversationId": "391",
        "messages": messages,
        "movieMentions": names if movies is None else movies,
        "initiatorWorkerId": SEEKER,
        "respondentWorkerId": HELPER,
        "initiatorQuestions": [] if seekers is None else seekers,
        "respondentQuestions": [] if helpers is None else helpers,
        **other,
    }


def form(suggested=1, liked=1):
    return {"suggested": suggested, "seen": 0, "liked": liked}


def test_a_dialogue_is_cut_in_front_of_every_turn_that_suggests_something_new():
    dialogue = redial(
        "Hello", "?Hi!", "?I liked @33", "Then try @11", "?More?", "@11 is good. Or @22", "?Thanks"
    )
    imported = Imported(FromRedial(), [dialogue])

    first, second = imported.rows
    assert first == {
        "id": "redial-391#2",
        "user": "redial-worker-7",
        "prompt": [{"role": "user", "content": "Hi! I liked Big (1988)"}],
        "seen_titles": [["Big", 1988]],
        TRUTH: [["Heat", 1995], ["Saw", 2004]],
    }
    assert second["id"] == "redial-391#4"
    assert [message["role"] for message in second["prompt"]] == ["user", "assistant", "user"]
    assert second["prompt"][1]["content"] == "Then try Heat (1995)"
    assert second["seen_titles"] == [["Big", 1988], ["Heat", 1995]]
    assert second[TRUTH] == [["Saw", 2004]]


def test_a_dialogue_can_be_cut_at_the_first_suggestion_only():
    dialogue = redial("?Hi", "@11", "?More", "@22")

    assert [row["id"] for row in Imported(FromRedial(cut="first"), [dialogue]).rows] == ["redial-391#1"]
    assert len(Imported(FromRedial(), [dialogue]).rows) == 2


def test_what_the_seeker_brought_up_or_dislikes_is_no_ground_truth():
    texts = ("?Something like @11?", "@22 or @33", "?Hm")

    def truth(**forms):
        return [row[TRUTH] for row in Imported(FromRedial(), [redial(*texts, **forms)]).rows]

    assert truth() == [[["Saw", 2004], ["Big", 1988]]]
    assert truth(seekers={"22": form(liked=0)}) == [[["Big", 1988]]]
    assert truth(seekers={"22": form(liked=2)}) == [[["Saw", 2004], ["Big", 1988]]]
    assert truth(seekers={"22": form(suggested=0)}) == [[["Big", 1988]]]
    # The recommender's form counts only where the seeker's is silent.
    assert truth(helpers={"22": form(liked=0)}) == [[["Big", 1988]]]
    assert truth(seekers={"22": form()}, helpers={"22": form(liked=0)}) == [[["Saw", 2004], ["Big", 1988]]]


def test_a_title_without_a_year_stays_in_the_text_and_is_counted():
    imported = Imported(FromRedial(), [redial("?A series?", "@44 of course", "?Known", "Then @11")])

    (row,) = imported.rows
    assert row["id"] == "redial-391#3"
    assert row["prompt"][1]["content"] == "The Office of course"
    assert row["seen_titles"] == [["The Office", None]]
    assert imported.examples("without a year") == ["The Office"]


def test_a_film_seen_under_the_same_name_without_a_year_is_no_ground_truth():
    names = {"1": "Thor", "2": "Thor (2011)", "3": "Saw (2004)"}
    imported = Imported(FromRedial(), [redial("?I know @1", "@2 or @3", movies=names)])

    assert [row[TRUTH] for row in imported.rows] == [[["Saw", 2004]]]
    assert imported.examples("among the seen titles") == ["Thor (2011)"]


def test_what_redial_escapes_is_put_right():
    names = {"1": "Why Him%3F (2016)", "2": "Fast &amp; Furious  (2009)", "3": "100% Wolf (2020)"}
    imported = Imported(
        FromRedial(), [redial("?I am &quot;sad&quot;,\n &gt; <b>help</b>", "@1 @2 @3", movies=names)]
    )

    (row,) = imported.rows
    assert row["prompt"][0]["content"] == 'I am "sad", > <b>help</b>'
    assert row[TRUTH] == [["Why Him?", 2016], ["Fast & Furious", 2009], ["100% Wolf", 2020]]


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        (("?Hi", "Hello", "?Bye"), "the recommender suggests no film with a year"),
        (("?Hi", "@44"), "the recommender suggests no film with a year"),
        (("?I liked @11", "@11 is nice"), "the recommender suggests no film with a year"),
        (("@11?", "?Yes"), "films are suggested before the user has said anything"),
        (("?", "@11", "? "), "films are suggested before the user has said anything"),
        ((), "the recommender suggests no film with a year"),
    ],
)
def test_a_dialogue_without_a_sample_is_removed_with_the_reason(texts, reason):
    dialogue = redial(*texts)
    imported = Imported(FromRedial(), [dialogue])

    assert imported.rows == imported.rejected == []
    (removed,) = imported.removed
    assert removed.row is dialogue
    assert removed.reason == reason


def test_a_dialogue_whose_suggestions_are_all_disliked_is_removed():
    imported = Imported(FromRedial(), [redial("?Hi", "@11", seekers={"11": form(liked=0)})])

    assert imported.reasons == ["every suggested film is disliked or already known"]


def test_an_empty_message_says_nothing():
    imported = Imported(FromRedial(), [redial("?Hi", "Hello", "?", "Try @11")])

    # The seeker's last words are older than the recommender's, so nobody asks.
    assert imported.rows == []
    assert imported.reasons == ["films are suggested before the user has said anything"]


def test_a_mention_that_the_data_do_not_name_stays_as_it_is():
    imported = Imported(FromRedial(), [redial("?I saw @99", "@11", movies={"11": "Heat (1995)", "99": None})])

    assert imported.rows[0]["prompt"][0]["content"] == "I saw @99"
    assert imported.examples("without a title") == ["99 in redial-391"]


def test_the_form_that_datasets_has_gives_the_same():
    official = redial("?Like @33", "@11 @22", seekers={"11": form(liked=0)})
    listed = official | {
        "movieMentions": [{"movieId": k, "movieName": v} for k, v in official["movieMentions"].items()],
        "initiatorQuestions": [{"movieId": "11", **form(liked=0)}],
    }
    full_of_none = official | {"initiatorQuestions": {"11": form(liked=0), "22": None, "33": None}}

    expected = Imported(FromRedial(), [official]).rows
    assert [row[TRUTH] for row in expected] == [[["Saw", 2004]]]
    assert Imported(FromRedial(), [listed]).rows == expected
    assert Imported(FromRedial(), [full_of_none]).rows == expected


def plain_dialogue(*turns, movies=None, **other):
    films = {"a": {"title": "Heat", "year": 1995}, "b": {"title": "Saw", "year": 2004}}
    return {
        "id": "d1",
        "turns": [{"role": role, "text": text, "movies": list(keys)} for role, text, *keys in turns],
        "movies": films if movies is None else movies,
        **other,
    }


def test_the_plain_form_gives_what_the_official_one_does():
    plain = plain_dialogue(
        ("recommender", "Hello"),
        ("seeker", "Hi! I liked Big (1988)", "33"),
        ("recommender", "Then try Heat (1995)", "11"),
        movies={
            "11": {"title": "Heat", "year": 1995, "suggested": 1, "seen": 0, "liked": 1},
            "33": {"title": "Big", "year": "1988.0", "suggested": 0, "seen": 1, "liked": 1},
        },
    )
    (row,) = Imported(FromRedial(), [plain]).rows
    (official,) = Imported(FromRedial(), [redial("Hello", "?Hi!", "?I liked @33", "Then try @11")]).rows

    assert row | {"id": "", "user": ""} == official | {"id": "", "user": ""}
    assert row["id"] == "d1#2"
    assert row["user"] == "d1"


def test_in_the_plain_form_a_film_without_a_title_is_left_out():
    films = {"a": {"title": "", "year": 1995}, "b": {"title": "Why Him%3F", "year": 2016}, "c": None}
    turns = (("seeker", "Hi"), ("recommender", "Or Why Him%3F (2016)", "a", "b"), ("seeker", "Why Him%3F"))
    imported = Imported(FromRedial(), [plain_dialogue(*turns, movies=films)])

    assert [row[TRUTH] for row in imported.rows] == [[["Why Him?", 2016]]]
    assert imported.examples("without a title") == ["a in d1"]


BROKEN_DIALOGUES = [
    ({}, "expected messages, as ReDial has, or turns; columns: none"),
    ({"id": "x"}, "columns: id"),
    (redial("?Hi", "@11", messages=None), "messages: expected a list, but got None"),
    (redial("?Hi", "@11", messages="Hi"), "messages: expected a list, but got 'Hi'"),
    (redial("?Hi", "@11", messages=["Hi"]), r"messages\[0\]: expected an object, but got 'Hi'"),
    (
        redial("?Hi", "@11", messages=[{"text": None, "senderWorkerId": 7}]),
        r"messages\[0\]: text must be text, but is None",
    ),
    (
        redial("?Hi", "@11", messages=[{"text": "Hi"}]),
        r"messages\[0\]: senderWorkerId: expected a name or a number, but got no such column",
    ),
    (
        redial("?Hi", "@11", messages=[{"text": "Hi", "senderWorkerId": 1}]),
        r"worker 1 is neither initiator nor respondent \(7, 9\)",
    ),
    (redial("?Hi", "@11", initiatorWorkerId=None), "initiatorWorkerId: expected a name or a number"),
    (redial("?Hi", "@11", initiatorWorkerId=HELPER), "worker 9 both seeks and recommends"),
    (redial("?Hi", "@11", conversationId=""), "conversationId: expected a name or a number, but got ''"),
    (redial("?Hi", "@11", movieMentions="Heat"), "movieMentions: expected an object with entries by film"),
    (redial("?Hi", "@11", movieMentions=[7]), "movieMentions: expected an object with movieId, but got 7"),
    (redial("?Hi", "@11", respondentQuestions=7), "respondentQuestions: expected an object"),
    (plain_dialogue(turns="Hi"), "turns: expected a list, but got 'Hi'"),
    (plain_dialogue(turns=[7]), r"turns\[0\]: expected an object, but got 7"),
    (plain_dialogue(("robot", "Hi")), r"turns\[0\]: role must be seeker or recommender, but is 'robot'"),
    (plain_dialogue(("seeker", None)), r"turns\[0\]: text must be text, but is None"),
    (
        plain_dialogue(("seeker", "Hi", ["a"])),
        r"turns\[0\]: movies must be a list of keys, but is \[\['a'\]\]",
    ),
    (
        plain_dialogue(turns=[{"role": "seeker", "text": "Hi", "movies": "a"}]),
        "movies must be a list of keys",
    ),
    (plain_dialogue(movies=["a"]), "movies: expected an object with films by key"),
    (plain_dialogue(movies={"a": "Heat"}), r"movies\['a'\]: expected an object with title and year"),
    (plain_dialogue(movies={"a": {"title": 7}}), r"movies\['a'\]: expected a title, but got 7"),
    (
        plain_dialogue(movies={"a": {"title": "Heat", "year": "soon"}}),
        r"movies\['a'\]: the year of 'Heat' must be a whole number, but is 'soon'",
    ),
    (plain_dialogue(id=None), "id: expected a name or a number, but got None"),
]


@pytest.mark.parametrize(("broken", "message"), BROKEN_DIALOGUES)
def test_a_broken_dialogue_costs_itself_only_and_the_message_says_what_was_wanted(broken, message):
    sound = redial("?Hi", "@11")
    imported = Imported(FromRedial(), [sound, broken, sound])

    assert len(imported.rows) == 2
    (rejected,) = imported.rejected
    assert rejected.row is broken
    with pytest.raises(DataError, match=message):
        raise DataError(rejected.reason)


def test_redial_as_it_is_gives_samples_that_hold_what_they_promise():
    dialogues = list(read_rows(real("crs", "redial_train.jsonl.gz")))
    imported = Imported(FromRedial(), dialogues)
    first = Imported(FromRedial(cut="first"), dialogues)

    assert len(dialogues) == 1550
    assert imported.rejected == []
    assert len(first.rows) + len(first.removed) == 1550
    assert {row["id"].split("#")[0] for row in imported.rows} == {row["user"] for row in first.rows}
    assert_one_form(imported.rows)
    titles = {title for row in imported.rows for title, _ in row[TRUTH] + row["seen_titles"]}
    assert "Why Him?" in titles
    assert not any("%3F" in title or "&amp;" in title for title in titles)
    assert not any("&quot;" in message["content"] for row in imported.rows for message in row["prompt"])


def test_redial_agrees_with_samples_that_were_cut_by_hand_elsewhere():
    rows = Imported(FromRedial(), read_rows(real("crs", "redial_train.jsonl.gz"))).rows
    ours = {row["id"]: row for row in rows}
    theirs = {row["id"]: row for row in read_rows(real("train", "redial_train_samples.jsonl.gz"))}
    # They keep "%3F" and titles that are empty, and do not know seen titles without a year.
    differ = {
        name
        for name, row in theirs.items()
        if name not in ours or sorted(ours[name][TRUTH]) != sorted(row[TRUTH])
    }

    assert len(theirs) == 3892
    assert len(differ) == 23
    odd = {name for name in differ if any("%3F" in title or not title for title, _ in theirs[name][TRUTH])}
    rest = [theirs[name][TRUTH] for name in differ - odd]
    assert len(odd) == 20
    assert sum(["The Conjuring", 2013] in truth or ["Cloverfield", 2008] in truth for truth in rest) == 3
    # What only we have are dialogues in which the user has not yet said four words in a row.
    further = ours.keys() - theirs.keys()
    assert len(further) == 38
    for name in further:
        requests = [message for message in ours[name]["prompt"] if message["role"] == "user"]
        assert all(len(message["content"].split()) < 4 for message in requests)


# --- INSPIRED -----------------------------------------------------------------------------------


def utterances(*texts, dialog="20191202-103716_425_live.pkl", **other):
    """Rows of the official table; an utterance of the seeker starts with '?', its titles follow."""
    rows = []
    for number, line in enumerate(texts, start=1):
        text, *titles = [line] if isinstance(line, str) else line
        row = {
            "dialog_id": dialog,
            "utt_id": str(number),
            "speaker": "SEEKER" if text.startswith("?") else "RECOMMENDER",
            "text": text.removeprefix("?"),
            "movies": ";  ".join(titles),
            "movie_id": "aaa",
            "fine_label": "accept_rating_good",
        }
        rows.append(row | other)
    return rows


def test_the_utterances_of_a_dialogue_are_put_together():
    rows = utterances(
        "Hello",
        "?Hi",
        ("?I like QUOTATION_MARKRoninQUOTATION_MARK and Big", "Ronin (1998)", "Big (1988)"),
        ("Then Heat", "Heat (1995)"),
        "It is great",
        "?OK",
    )
    imported = Imported(FromInspired(), rows)

    assert imported.rows == [
        {
            "id": "inspired-20191202-103716_425_live#2",
            "user": "inspired-20191202-103716_425_live",
            "prompt": [{"role": "user", "content": 'Hi I like "Ronin" and Big'}],
            "seen_titles": [["Ronin", 1998]],
            TRUTH: [["Heat", 1995]],
        }
    ]
    assert imported.examples("listed title") == ['Big: I like "Ronin" and Big']  # too short to be told apart


def test_a_listed_title_that_the_utterance_does_not_spell_is_left_out_and_counted():
    rows = utterances(
        ("?I want a link this friday", "Link (1986)", "Friday (1995)"),
        ("Dark Phoenix kept me there the entire time", "Dark Phoenix (2019)", "Adventure Time (2010)"),
    )
    imported = Imported(FromInspired(), rows)

    assert [row["seen_titles"] for row in imported.rows] == [[]]
    assert [row[TRUTH] for row in imported.rows] == [[["Dark Phoenix", 2019]]]
    assert len(imported.examples("listed title")) == 3


def test_dialogues_do_not_run_into_each_other():
    rows = [
        *utterances("?Hi", ("Heat", "Heat (1995)"), dialog="one"),
        *utterances("?Ho", ("Saw 2 rocks", "Saw 2 (2005)"), dialog="two"),
    ]
    assert [row["id"] for row in Imported(FromInspired(), rows).rows] == ["inspired-one#1", "inspired-two#1"]


def database(tmp_path, content):
    path = tmp_path / "movie_database.tsv"
    path.write_text(content, encoding="utf-8")
    return path


@pytest.fixture
def trailers(tmp_path):
    return database(
        tmp_path, "title\tyear\tvideo_id\nRonin\t1998\taaa\nUs\t2019\tbbb\n\t\tccc\nOdd\tN/A\tddd\n"
    )


def test_with_the_movie_database_the_recommended_film_is_ground_truth_also_unnamed(trailers):
    rows = utterances("?Hi", ("Heat!", "Heat (1995)"), "?No", "It stars Robert De Niro", "?Oh")
    plain = Imported(FromInspired(), rows).rows
    known = Imported(FromInspired(movies_path=trailers), rows).rows

    assert [row[TRUTH] for row in plain] == [[["Heat", 1995]]]
    assert [row[TRUTH] for row in known] == [[["Heat", 1995], ["Ronin", 1998]]]


@pytest.mark.parametrize("column", ["fine_label", "case"])
@pytest.mark.parametrize("label", ["reject", "accept_uninterested"])
def test_a_recommended_film_that_was_turned_down_is_no_ground_truth(trailers, column, label):
    rows = utterances("?Hi", ("Ronin or Heat", "Ronin (1998)", "Heat (1995)"), fine_label="")
    rows = [row | {column: label} for row in rows]

    assert [row[TRUTH] for row in Imported(FromInspired(movies_path=trailers), rows).rows] == [
        [["Heat", 1995]]
    ]


def test_a_video_that_the_movie_database_does_not_have_is_counted(trailers):
    rows = utterances("?Hi", ("Heat", "Heat (1995)"), movie_id="zzz")
    imported = Imported(FromInspired(movies_path=trailers), rows)

    assert len(imported.rows) == 1
    assert imported.examples("movie database") == ["20191202-103716_425_live"]


def test_a_movie_database_that_cannot_be_used_stops_the_run(tmp_path):
    rows = utterances("?Hi", "Hello")
    with pytest.raises(ConfigError, match=r"movies_path: .*missing.tsv does not exist"):
        list(FromInspired(movies_path=tmp_path / "missing.tsv")(rows))
    wrong = database(tmp_path, "title\tyear\nHeat\t1995\n")
    with pytest.raises(ConfigError, match="must have columns video_id, title, year"):
        list(FromInspired(movies_path=wrong)(rows))


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"speaker": "ROBOT"}, "speaker must be SEEKER or RECOMMENDER, but is 'ROBOT'"),
        ({"speaker": ""}, "speaker: expected text, but got ''"),
        ({"text": " "}, "text: expected text, but got ' '"),
        ({"text": None}, "text: expected text, but got None"),
        ({"movies": 7}, "movies: expected a list of titles, but got 7"),
    ],
)
def test_a_broken_utterance_costs_itself_only(other, message):
    rows = utterances("?Hi", "?Help", ("Heat", "Heat (1995)"))
    rows[1] |= other
    imported = Imported(FromInspired(), rows)

    assert [row["prompt"][0]["content"] for row in imported.rows] == ["Hi"]
    assert imported.rejected == [Rejected(rows[1], message)]
    assert imported.rejected[0].row is rows[1]


def test_an_utterance_without_its_dialogue_costs_itself_only():
    lost = utterances("?Hi")[0] | {"dialog_id": ""}
    imported = Imported(FromInspired(), [lost, *utterances("?Hi", ("Heat", "Heat (1995)"))])

    assert len(imported.rows) == 1
    assert imported.rejected[0].row is lost
    assert (
        "expected dialog_id, as INSPIRED has, or turns; columns: dialog_id, " in imported.rejected[0].reason
    )


def test_in_the_plain_form_the_recommended_films_are_looked_for_in_the_turns():
    turns = (
        ("seeker", "I just saw saw"),
        ("recommender", "What about Ronin?"),
        ("seeker", "No"),
        ("recommender", "Wonderwoman then"),
    )
    films = {
        name: {"title": name, "year": year}
        for name, year in {"Ronin": 1998, "Wonder Woman": 2017, "Us": 2019, "The Office": None}.items()
    }
    imported = Imported(FromInspired(), [plain_dialogue(*turns, movies=films)])

    assert [row["id"] for row in imported.rows] == ["d1#1", "d1#3"]
    assert [row[TRUTH] for row in imported.rows] == [
        [["Ronin", 1998], ["Wonder Woman", 2017]],
        [["Wonder Woman", 2017]],
    ]
    assert imported.examples("no turn names") == ["Us", "The Office"]


def test_inspired_as_it_is_gives_samples_that_hold_what_they_promise():
    dialogues = list(read_rows(real("crs", "inspired_train.jsonl.gz")))
    imported = Imported(FromInspired(), dialogues)

    assert len(dialogues) == 801
    assert imported.rejected == []
    assert len({row["user"] for row in imported.rows}) + len(imported.removed) == 801
    assert_one_form(imported.rows)
    recommended = {
        (movie["title"], movie["year"]) for dialogue in dialogues for movie in dialogue["movies"].values()
    }
    assert {tuple(title) for row in imported.rows for title in row[TRUTH]} <= recommended


def test_inspired_agrees_with_samples_that_were_cut_elsewhere():
    rows = Imported(FromInspired(), read_rows(real("crs", "inspired_train.jsonl.gz"))).rows
    ours = {row["id"]: sorted(row[TRUTH]) for row in rows}
    theirs = {
        row["id"]: sorted(row[TRUTH]) for row in read_rows(real("train", "inspired_train_samples.jsonl.gz"))
    }
    # They do not take "Spiderman", "Wonderwoman", "Small foot" or "baby driver's" for the films.
    differ = {name for name, truth in theirs.items() if ours.get(name) != truth}

    assert len(theirs) == 875
    assert len(differ) <= 6


# --- Reddit -------------------------------------------------------------------------------------


def reddit(**other):
    return {"prompt": "USER: dark films?", TRUTH: [["Saw", "2004"]], "seen_titles": ["Heat"], **other}


def test_a_row_of_the_research_code_comes_into_our_form():
    row = reddit(
        sample_id="train_2",
        prompt=[{"content": "dark films?", "role": "user"}],
        completion=[{"content": "Saw (2004)", "role": "assistant"}],
        constraints={"Gore": True, "Drugs": None, "Animals": True},
        seen_titles=["Heat", "Big (1988)", ["Ronin", ""], {"title": "Us", "year": "2019.0"}],
        groundtruth_with_release_year=[("Saw", "2004"), {"title": "Seven", "year": 1995}, "Alien (1979)"],
        num_groundtruth=3,
    )
    (sample,) = Imported(FromReddit(), [row]).rows

    assert sample["user"]
    assert sample | {"user": ""} == {
        "id": "train_2",
        "user": "",
        "prompt": [{"role": "user", "content": "dark films?"}],
        "completion": [{"role": "assistant", "content": "Saw (2004)"}],
        "seen_titles": [["Heat", None], ["Big", 1988], ["Ronin", None], ["Us", 2019]],
        TRUTH: [["Saw", 2004], ["Seven", 1995], ["Alien", 1979]],
        "constraints": ["Animals", "Gore"],
        "sample_id": "train_2",
        "num_groundtruth": 3,
    }
    assert_one_form([sample])


def test_rows_without_an_id_are_named_after_their_content_and_share_a_user_by_prompt():
    rows = [reddit(), reddit(completion="Saw (2004)"), reddit(prompt="USER: light films?")]
    one, other, light = Imported(FromReddit(), rows).rows

    assert len({one["id"], other["id"], light["id"]}) == 3
    assert one["user"] == other["user"] != light["user"]
    assert Imported(FromReddit(), [reddit()]).rows == [one]


@pytest.mark.parametrize(
    ("given", "constraints"),
    [
        ({"constraints": {"Gore": None}}, ()),
        ({"constraints": None, "assigned_trait": "Gore"}, ("Gore",)),
        ({"constraints": ["Gore", "Drugs"], "assigned_trait": "Animals"}, ("Drugs", "Gore")),
        ({}, ()),
    ],
)
def test_constraints_are_a_list_or_not_there(given, constraints):
    (sample,) = Imported(FromReddit(), [reddit(**given)]).rows

    assert constraints_of(sample) == constraints
    assert ("constraints" in sample) == bool(constraints)


def test_ground_truth_without_a_year_or_already_seen_is_counted_and_left_out():
    truth = [["Saw", 2004], ["Big", None], ["Ronin", ""], ["heat!", 1995], ["Saw", 2004]]
    imported = Imported(FromReddit(), [reddit(groundtruth_with_release_year=truth)])

    assert [row[TRUTH] for row in imported.rows] == [[["Saw", 2004]]]
    assert imported.examples("without a year") == ["Big", "Ronin"]
    assert imported.examples("among the seen") == ["heat! (1995)"]


@pytest.mark.parametrize("truth", [[], None, [["Big", ""]], [["Heat", 1995]]])
def test_a_row_without_any_ground_truth_is_removed(truth):
    row = reddit(groundtruth_with_release_year=truth)
    imported = Imported(FromReddit(), [row])

    assert imported.rows == []
    assert imported.removed == [Removed(row, "no ground truth that has a year and was not seen")]


def test_numbers_that_json_cannot_say_are_not_passed_on():
    (sample,) = Imported(FromReddit(), [reddit(score=math.nan, more={"x": [math.inf, 1.5]})]).rows

    assert sample["score"] is None
    assert sample["more"] == {"x": [None, 1.5]}


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"prompt": ""}, "prompt: expected text, but the content of user is empty"),
        ({"prompt": None}, "prompt: expected a list of messages, but got None"),
        ({"prompt": []}, "prompt: expected a list of messages"),
        ({"prompt": [{"role": "user"}]}, "prompt: a message needs role and content"),
        (
            {"prompt": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]},
            "prompt must end with a turn of the user, but ends with",
        ),
        (
            {"prompt": [{"role": "robot", "content": "Hi"}]},
            "a role must be system, user, assistant, but is 'robot'",
        ),
        ({TRUTH: "Saw (2004)"}, "groundtruth_with_release_year: expected a list of titles"),
        ({TRUTH: [["Saw", "soon"]]}, "the year of 'Saw' must be a whole number, but is 'soon'"),
        ({TRUTH: [["<b></b>", "2004</td>"]]}, "the year of '<b></b>' must be a whole number"),
        ({"seen_titles": 7}, "seen_titles: expected a list of titles, but got 7"),
        ({"constraints": "Gore"}, "constraints must be a list"),
        ({"assigned_trait": 7}, "assigned_trait: expected the name of a trait, but got 7"),
        ({"id": ["x"]}, "id: expected a name or a number"),
        ({"time": "soon"}, "time must be seconds since 1970"),
        ({"completion": [{"role": "assistant"}]}, "completion: a message needs role and content"),
    ],
)
def test_a_broken_row_costs_itself_only(other, message):
    imported = Imported(FromReddit(), [reddit(id=1), reddit(**other), reddit(id=2)])

    assert [row["id"] for row in imported.rows] == ["1", "2"]
    (rejected,) = imported.rejected
    assert message in rejected.reason


@pytest.mark.slow
def test_a_folder_of_datasets_comes_with_structs_full_of_none(tmp_path):
    import datasets

    rows = [
        reddit(id="1", constraints={"Gore": True}),
        reddit(id="2", constraints={"Drugs": True}),
    ]
    datasets.Dataset.from_list(rows).save_to_disk(str(tmp_path / "train"))
    samples = Imported(FromReddit(), read_rows(tmp_path / "train")).rows

    assert [row["constraints"] for row in samples] == [["Gore"], ["Drugs"]]
    assert_one_form(samples)


# --- MovieLens ----------------------------------------------------------------------------------


def movies_csv(tmp_path, titles=None):
    path = tmp_path / "movies.csv"
    names = titles or [
        "Heat (1995)",
        "Saw (2004)",
        "Big (1988)",
        "Matrix, The (1999)",
        "Babylon 5",
        "Us (2019)",
    ]
    lines = [f'{number},"{name}",Drama' for number, name in enumerate(names, start=1)]
    path.write_text("\n".join(["movieId,title,genres", *lines]) + "\n", encoding="utf-8")
    return path


def ratings(*rated, user="5"):
    """Ratings as CSV has them: film, stars, second."""
    return [
        {"userId": user, "movieId": str(film), "rating": str(stars), "timestamp": str(time)}
        for film, stars, time in rated
    ]


def test_a_user_becomes_a_history_and_what_was_liked_next(tmp_path):
    transform = FromMovielens(movies_path=movies_csv(tmp_path), holdout=1)
    rows = ratings((4, 5.0, 30), (1, 4.0, 10), (2, 2.5, 20), (3, 4.5, 40), (6, 1.0, 50))

    assert Imported(transform, rows).rows == [
        {
            "id": "movielens-5",
            "user": "movielens-5",
            "time": 40,
            "prompt": [
                {
                    "role": "user",
                    "content": "I liked Heat (1995) and Matrix, The (1999). What should I watch next?",
                }
            ],
            # Saw was rated before, if not liked; Us was rated later.
            "seen_titles": [["Heat", 1995], ["Saw", 2004], ["Matrix, The", 1999]],
            TRUTH: [["Big", 1988]],
        }
    ]


def test_the_prompt_lists_the_latest_of_the_history_and_all_of_it_counts_as_seen(tmp_path):
    transform = FromMovielens(movies_path=movies_csv(tmp_path), holdout=1, history=1)
    (row,) = Imported(transform, ratings((1, 5, 1), (2, 5, 2), (3, 5, 3), (4, 5, 4))).rows

    assert row["prompt"][0]["content"] == "I liked Big (1988). What should I watch next?"
    assert row["seen_titles"] == [["Heat", 1995], ["Saw", 2004], ["Big", 1988]]


def test_what_counts_as_liked_can_be_set(tmp_path):
    path = movies_csv(tmp_path)
    rows = ratings((1, 3, 1), (2, 4, 2), (3, 5, 3))

    def samples(**options):
        return Imported(FromMovielens(movies_path=path, holdout=1, **options), rows).rows

    assert [row["seen_titles"] for row in samples(min_rating=4.5)] == []
    assert "I liked Saw (2004). " in samples()[0]["prompt"][0]["content"]
    assert "I liked Heat (1995) and Saw (2004). " in samples(min_rating=3)[0]["prompt"][0]["content"]


def test_the_order_of_the_ratings_does_not_matter(tmp_path):
    transform = FromMovielens(movies_path=movies_csv(tmp_path), holdout=2)
    rows = ratings((1, 5, 7), (2, 5, 7), (3, 5, 7), (4, 5, 7), (6, 5, 2))

    assert Imported(transform, rows).rows == Imported(transform, rows[::-1]).rows


def test_a_user_with_too_few_liked_films_is_removed(tmp_path):
    rows = ratings((1, 5, 1), (2, 5, 2), (3, 1, 3))
    imported = Imported(FromMovielens(movies_path=movies_csv(tmp_path), holdout=2), rows)

    assert imported.removed == [
        Removed({"userId": "5", "ratings": rows}, "too few liked films", {"liked": 2, "wanted": 3})
    ]


def test_a_film_without_a_year_is_left_out_and_counted(tmp_path):
    transform = FromMovielens(movies_path=movies_csv(tmp_path), holdout=1)
    imported = Imported(transform, ratings((1, 5, 1), (5, 5, 2), (3, 5, 3)))

    assert imported.rows[0]["seen_titles"] == [["Heat", 1995]]
    assert imported.examples("without a year") == ["Babylon 5"]


def test_ratings_of_other_items_have_words_of_their_own_and_may_lack_years(tmp_path):
    (tmp_path / "books.csv").write_text("item_id,title,year\n1,Momo,1973\n2,Der Prozess,\n3,Emma,1815\n")
    transform = FromMovielens(
        movies_path=tmp_path / "books.csv",
        holdout=1,
        sentence="I enjoyed {titles}. What shall I read?",
        undated=True,
    )
    (row,) = Imported(transform, ratings((2, 5, 1), (1, 5, 2), (3, 5, 3))).rows

    assert row["prompt"][0]["content"] == "I enjoyed Der Prozess and Momo (1973). What shall I read?"
    assert row["seen_titles"] == [["Der Prozess", None], ["Momo", 1973]]
    assert row[TRUTH] == [["Emma", 1815]]
    with pytest.raises(ValidationError, match=r"must have \{titles\}"):
        FromMovielens(movies_path=tmp_path / "books.csv", sentence="What next?")


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"movieId": "99"}, "movieId '99' is not in "),
        ({"movieId": ""}, "movieId: expected a name or a number, but got ''"),
        ({"rating": "good"}, "rating: expected a number, but got 'good'"),
        ({"rating": "nan"}, "rating: expected a number, but got 'nan'"),
        ({"rating": None}, "rating: expected a number, but got None"),
        ({"timestamp": ""}, "timestamp must be seconds since 1970"),
        ({"timestamp": "<td>"}, "timestamp must be seconds since 1970"),
    ],
)
def test_a_broken_rating_costs_itself_only(tmp_path, other, message):
    rows = [*ratings((1, 5, 1), (2, 5, 2), (3, 5, 3)), *ratings((1, 5, 1), (2, 5, 2), user="6")]
    rows[1] |= other
    imported = Imported(FromMovielens(movies_path=movies_csv(tmp_path), holdout=1), rows)

    assert [row["id"] for row in imported.rows] == ["movielens-5", "movielens-6"]
    assert imported.rows[0]["seen_titles"] == [["Heat", 1995]]
    (rejected,) = imported.rejected
    assert rejected.row is rows[1]
    assert message in rejected.reason


def test_a_rating_of_nobody_costs_itself_only(tmp_path):
    rows = [*ratings((1, 5, 1), user=math.nan), *ratings((1, 5, 1), (2, 5, 2))]
    imported = Imported(FromMovielens(movies_path=movies_csv(tmp_path), holdout=1), rows)

    assert [row["id"] for row in imported.rows] == ["movielens-5"]
    assert imported.rejected[0].row is rows[0]


def test_a_table_of_films_that_cannot_be_used_stops_the_run_before_a_row_is_read(tmp_path):
    with pytest.raises(ConfigError, match=r"movies_path: .*missing.csv does not exist"):
        list(FromMovielens(movies_path=tmp_path / "missing.csv")(ratings((1, 5, 1))))
    path = tmp_path / "movies.csv"
    path.write_text("movieId,name\n1,Heat\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="title: expected text, but got no such column"):
        list(FromMovielens(movies_path=path)(ratings((1, 5, 1))))


def test_movielens_as_it_is_gives_a_sample_for_nearly_every_user():
    folder = real("movielens", "ml-latest-small")
    transform = FromMovielens(movies_path=folder / "movies.csv.gz")
    imported = Imported(transform, read_rows(folder / "ratings.csv.gz"))
    with gzip.open(folder / "ratings.csv.gz", "rt", encoding="utf-8") as file:
        raw = list(csv.DictReader(file))

    assert len({row["userId"] for row in raw}) == 610
    assert len(imported.rows) == 605
    assert [removed.evidence["wanted"] for removed in imported.removed] == [4] * 5
    assert imported.rejected == []
    assert_one_form(imported.rows)
    assert "Babylon 5" in imported.examples("without a year")
    # User 1 has 232 ratings, all films of which have a year.
    mine = [row for row in raw if row["userId"] == "1"]
    liked = sorted(int(row["timestamp"]) for row in mine if float(row["rating"]) >= 4)
    sample = imported.rows[0]
    assert sample["id"] == "movielens-1"
    assert sample["time"] == liked[-3]
    assert len(sample[TRUTH]) == 3
    assert len(sample["seen_titles"]) == sum(int(row["timestamp"]) <= liked[-3] for row in mine) - sum(
        time == liked[-3] for time in liked[-3:]
    )


# --- plain tables -------------------------------------------------------------------------------


def test_a_table_with_columns_of_our_names_needs_no_map():
    row = {
        "id": "7",
        "user": "ann",
        "time": "2020-01-01",
        "prompt": "Something tense?",
        "groundtruth": "Heat (1995)|Saw (2004)",
        "seen": "Big|Matrix, The (1999)",
        "constraints": "Gore|Drugs",
        "genre": "thriller",
    }
    assert Imported(FromTable(), [row]).rows == [
        {
            "id": "7",
            "user": "ann",
            "time": 1577836800,
            "prompt": [{"role": "user", "content": "Something tense?"}],
            "seen_titles": [["Big", None], ["Matrix, The", 1999]],
            TRUTH: [["Heat", 1995], ["Saw", 2004]],
            "genre": "thriller",
            "constraints": ["Drugs", "Gore"],
        }
    ]


def test_a_map_says_which_columns_hold_what():
    row = {"question": "Tense?", "liked": "Heat (1995); Saw (2004)", "member": 3, "prompt": "x", "id": "y"}
    transform = FromTable(
        column_map={"prompt": "question", "groundtruth": "liked", "user": "member", "id": None}, separator=";"
    )
    (sample,) = Imported(transform, [row]).rows

    assert sample["prompt"] == [{"role": "user", "content": "Tense?"}]
    assert sample[TRUTH] == [["Heat", 1995], ["Saw", 2004]]
    assert sample["user"] == "3"
    assert sample["id"] != "y"
    assert set(sample) == {"id", "user", "prompt", "seen_titles", TRUTH}


@pytest.mark.parametrize(
    ("cells", "title"),
    [
        ({"title": "Heat", "year": "1995"}, ["Heat", 1995]),
        ({"title": "Heat", "year": "1995.0"}, ["Heat", 1995]),
        ({"title": "Heat (1995)", "year": ""}, ["Heat", 1995]),
        ({"title": "Heat (1995)"}, ["Heat", 1995]),
        ({"title": "Heat (1995)", "year": 1996}, ["Heat", 1996]),
        ({"title": "1917", "year": 2019}, ["1917", 2019]),
    ],
)
def test_the_ground_truth_may_be_one_title_with_its_year_apart(cells, title):
    assert [row[TRUTH] for row in Imported(FromTable(), [{"prompt": "?", **cells}]).rows] == [[title]]


def test_lists_and_messages_are_read_where_the_file_has_them():
    row = {
        "prompt": [{"role": "user", "content": "Tense?"}],
        TRUTH: [["Heat", 1995], {"title": "Saw", "year": 2004}, "Big (1988)"],
        "seen_titles": ["Us (2019)"],
        "completion": "Heat (1995)",
    }
    (sample,) = Imported(FromTable(), [row]).rows

    assert sample[TRUTH] == [["Heat", 1995], ["Saw", 2004], ["Big", 1988]]
    assert sample["seen_titles"] == [["Us", 2019]]
    assert sample["completion"] == [{"role": "assistant", "content": "Heat (1995)"}]


def test_without_a_user_every_sample_is_from_a_user_of_its_own():
    rows = [{"prompt": text, "groundtruth": "Heat (1995)", "user": ""} for text in ("a", "b")]
    one, other = Imported(FromTable(), rows).rows

    assert one["user"] == one["id"] != other["id"] == other["user"]


def test_a_mapped_column_that_a_row_does_not_have_is_counted():
    transform = FromTable(column_map={"seen": "histroy"})
    imported = Imported(transform, [{"prompt": "?", "groundtruth": "Heat (1995)", "history": "Saw"}])

    assert [row["seen_titles"] for row in imported.rows] == [[]]
    assert imported.examples("column_map names for seen") == ["histroy"]


def test_an_unknown_target_is_an_error_with_near_misses_when_it_is_built(plugins):
    entry = plugins.find(plugins.transforms, "from-table")

    with pytest.raises(ConfigError, match=r"unknown target 'groundtruths'\. Did you mean 'groundtruth'"):
        build(entry, {"column_map": {"groundtruths": "liked"}})
    with pytest.raises(ConfigError, match=r"unknown target 'rating'.*Available: id, user, time, prompt"):
        build(entry, {"column_map": {"rating": "stars"}})
    with pytest.raises(ConfigError, match="separator"):
        build(entry, {"separator": ""})


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({}, "column 'prompt' is missing; column_map says which one holds the prompt. Columns: none"),
        ({"groundtruth": "Heat (1995)", "q": "?"}, "Columns: groundtruth, q"),
        ({"prompt": "?"}, "column 'groundtruth' is missing"),
        ({"prompt": "", "groundtruth": "Heat (1995)"}, "prompt: expected text or messages, but got ''"),
        ({"prompt": None, "groundtruth": "Heat (1995)"}, "prompt: expected text or messages, but got None"),
        ({"prompt": 7, "groundtruth": "Heat (1995)"}, "prompt: expected a list of messages, but got 7"),
        ({"prompt": "?", "groundtruth": 7}, "groundtruth: expected a list of titles, but got 7"),
        ({"prompt": "?", "title": ""}, "title: expected text, but got ''"),
        (
            {"prompt": "?", "title": "Heat", "year": "<i>"},
            "the year of 'Heat' must be a whole number, but is '<i>'",
        ),
        ({"prompt": "?", "groundtruth": "Heat (1995)", "time": "soon"}, "time must be seconds since 1970"),
        ({"prompt": "?", "groundtruth": "Heat (1995)", "user": [1]}, "user: expected a name or a number"),
    ],
)
def test_a_broken_row_of_a_table_costs_itself_only(row, message):
    sound = {"prompt": "?", "groundtruth": "Heat (1995)"}
    imported = Imported(FromTable(), [sound, row, sound])

    assert len(imported.rows) == 2
    (rejected,) = imported.rejected
    assert rejected.row is row
    assert message in rejected.reason


@pytest.mark.parametrize("cell", ["", None, " | ", "N/A", "none", "-", "\\N"])
def test_a_row_of_a_table_without_ground_truth_is_removed(cell):
    imported = Imported(FromTable(), [{"prompt": "?", "groundtruth": cell}])

    assert imported.reasons == ["no ground truth that was not seen"]


def test_ground_truth_of_a_table_may_lack_a_year():
    row = {"prompt": "?", "groundtruth": ["Lentil soup", "Ramen"], "seen": ["Ramen"]}
    imported = Imported(FromTable(), [row])

    assert imported.rows[0][TRUTH] == [["Lentil soup", None]]
    assert imported.examples("among the seen") == ["Ramen"]


def test_a_csv_file_is_read_as_it_is(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text('prompt,groundtruth,seen\n"Tense,\nplease","Heat (1995)|Saw (2004)",\n', encoding="utf-8")
    (sample,) = Imported(FromTable(), read_rows(path)).rows

    assert sample["prompt"][0]["content"] == "Tense,\nplease"
    assert sample["seen_titles"] == []


# --- all of them --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["from-redial", "from-inspired", "from-reddit", "from-movielens", "from-table"]
)
def test_every_importer_is_installed_and_says_what_its_options_mean(plugins, name):
    from saferec_core.plugins.component import options_of

    cls = plugins.find(plugins.transforms, name).load()
    assert cls.__doc__
    assert all(option.meaning for option in options_of(cls))


@pytest.mark.parametrize("nothing", [[], {}, None, float("nan")], ids=["list", "object", "null", "nan"])
def test_a_dialogue_of_redial_whose_forms_are_empty_in_any_way_is_read(nothing):
    official = redial("?Hi", "@11") | {"initiatorQuestions": nothing, "respondentQuestions": nothing}

    assert [row[TRUTH] for row in Imported(FromRedial(), [official]).rows] == [[["Heat", 1995]]]


@pytest.mark.parametrize("nothing", [[], {}, None], ids=["list", "object", "null"])
def test_a_dialogue_of_redial_that_names_no_film_costs_only_its_mentions(nothing):
    imported = Imported(
        FromRedial(), [redial("?Hi", "@11") | {"movieMentions": nothing}, redial("?Hi", "@11")]
    )

    assert len(imported.rows) == 1
    assert imported.reasons == ["the recommender suggests no film with a year"]
    assert imported.examples("without a title") == ["11 in redial-391"]


@pytest.mark.parametrize("importer", [FromRedial, FromInspired])
def test_a_mentioned_film_that_the_plain_form_does_not_have_costs_that_mention_only(importer):
    turns = (("seeker", "Hi, I like Up", "z"), ("recommender", "Then Heat, or Saw", "a", 77))
    films = {"a": {"title": "Heat", "year": 1995}}
    imported = Imported(importer(), [plain_dialogue(*turns, movies=films)])

    assert [row[TRUTH] for row in imported.rows] == [[["Heat", 1995]]]
    assert imported.rejected == []
    assert imported.examples("without a title") == ["z in d1", "77 in d1"]


def test_a_plain_dialogue_whose_films_are_an_empty_list_is_read():
    imported = Imported(
        FromRedial(), [plain_dialogue(("seeker", "Hi"), ("recommender", "Heat", "a"), movies=[])]
    )

    assert imported.rejected == []
    assert imported.reasons == ["the recommender suggests no film with a year"]


def test_a_film_of_movielens_under_two_ids_is_one_film_and_its_later_rating_counts(tmp_path):
    path = movies_csv(
        tmp_path, ["Eros (2004)", "Saw (2004)", "Eros (2004)", "Matrix, The (1999)", "The Matrix (1999)"]
    )
    rows = ratings((1, 5.0, 10), (2, 4.0, 20), (3, 1.0, 30), (4, 4.0, 40), (5, 5.0, 50), (2, 5.0, 60))
    imported = Imported(FromMovielens(movies_path=path, holdout=1), rows)

    (sample,) = imported.rows
    assert sample["prompt"][0]["content"] == "I liked The Matrix (1999). What should I watch next?"
    assert sample[TRUTH] == [["Saw", 2004]]
    assert sample["seen_titles"] == [["Eros", 2004], ["The Matrix", 1999]]
    assert imported.examples("rated twice") == ["Eros (2004)", "The Matrix (1999)", "Saw (2004)"]


MOVIELENS_FORMS = {
    "movies.dat": "1::Heat (1995)::Action\n2::Saw (2004)::Horror\n",
    "u.item": f"1|Heat (1995)|||{'|0' * 19}\n2|Saw (2004)|||{'|0' * 19}\n",
    "ml.item": "item_id:token\tmovie_title:token_seq\trelease_year:token\n1\tHeat\t1995\n2\tSaw\t2004\n",
}


@pytest.mark.parametrize(("name", "content"), MOVIELENS_FORMS.items(), ids=MOVIELENS_FORMS.keys())
def test_films_of_movielens_are_read_in_every_form_that_they_are_given_in(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    (tmp_path / "ratings.dat").write_text("5::1::4::800000010\n5::2::5::800000020\n")

    transform = FromMovielens(movies_path=tmp_path / name, holdout=1)
    (sample,) = Imported(transform, read_rows(tmp_path / "ratings.dat")).rows

    assert sample["prompt"][0]["content"] == "I liked Heat (1995). What should I watch next?"
    assert sample[TRUTH] == [["Saw", 2004]]


@pytest.mark.parametrize(
    ("written", "title"),
    [
        ("What%27s Up, Doc%3F (1972)", ("What's Up, Doc?", 1972)),
        ("Am%C3%A9lie (2001)", ("Amélie", 2001)),
        ("&quot;Crocodile&quot; Dundee (1986)", ('"Crocodile" Dundee', 1986)),
        ("Fast &amp; Furious (2009)", ("Fast & Furious", 2009)),
        ("http://dbpedia.org/resource/Water_(1985_film)", ("Water", 1985)),
        ("<http://dbpedia.org/resource/Who_Framed_Roger_Rabbit%3F>", ("Who Framed Roger Rabbit?", None)),
        ("https://en.wikipedia.org/wiki/It_(2017_film)", ("It", 2017)),
        ("100% Wolf (2020)", ("100% Wolf", 2020)),
        ("50%ed (2020)", ("50%ed", 2020)),
        ("Romeo & Juliet (1968)", ("Romeo & Juliet", 1968)),
    ],
    ids=range(10),
)
def test_what_the_web_makes_of_a_title_is_undone(written, title):
    assert title_and_year(written) == title
