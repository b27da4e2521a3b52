"""The transform that maps titles to the entries of the catalog."""

import json
import pickle
import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saferec_core.data.catalog import Catalog
from saferec_core.data.titles import Title, normal_form
from saferec_core.errors import ConfigError
from saferec_core.plugins.build import build
from saferec_core.plugins.contracts.transform import Counted
from saferec_core.testing.work import lines_executed
from saferec_plugins.transforms.map_titles import MapTitles
from saferec_plugins.transforms.title_matching import How, Match, TitleMatcher
from saferec_plugins.transforms.title_spelling import SpellingSearch, spelled, words_of
from tests.shared import SHARED

REAL_CATALOG = SHARED / "data/catalog/reddit_gt_catalog.jsonl"
CATALOG = (
    Title("The Matrix", 1999),
    Title("Saw", 2004),
    Title("Saw II", 2005),
    Title("Saw III", 2006),
    Title("After Life", 2019),
    Title("Afterlife", 2019),
    Title("Fall", 2022),
    Title("The Fall", 2022),
    Title("Mother", 2017),
    Title("Mother!", 2017),
    Title("Amélie", 2001),
)
TRUTH, SEEN = "groundtruth_with_release_year", "seen_titles"


def write_catalog(folder, titles=CATALOG):
    path = folder / "catalog.jsonl"
    path.write_text("".join(json.dumps({"title": n, "year": y}) + "\n" for n, y in titles), encoding="utf-8")
    return path


@pytest.fixture
def mapped(tmp_path):
    """Map one row; return it with what was counted, as ``{what: times}``."""

    def run(row, titles=CATALOG, **options):
        outcomes = list(MapTitles(catalog_path=write_catalog(tmp_path, titles), **options)([row]))
        counts = {}
        for outcome in outcomes[:-1]:
            assert isinstance(outcome, Counted)
            counts[outcome.what] = counts.get(outcome.what, 0) + outcome.times
        return outcomes[-1], counts

    return run


@pytest.fixture(scope="module")
def matcher():
    return TitleMatcher(Catalog(CATALOG), tolerance=2)


def truth_of(*titles, **columns):
    return {"id": "1", "prompt": "Hi", TRUTH: [list(title) for title in titles], **columns}


def test_a_missing_catalog_is_no_fault_of_the_row(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.jsonl does not exist"):
        list(MapTitles(catalog_path=tmp_path / "none.jsonl")([truth_of(("Saw", 2004))]))


# --- by the normal form ------------------------------------------------------------------------


def test_accents_of_two_code_points_are_those_of_one():
    matcher = TitleMatcher(Catalog([Title("Amelie", 2001), Title("Amélie", 2001)]), tolerance=2)
    asked = Title(unicodedata.normalize("NFD", "Amélie"), 2001)

    assert matcher.match(asked) == Match(Title("Amélie", 2001), How.EXACTLY)


def test_titles_become_the_catalogs_own_spelling_and_year(mapped):
    row, counts = mapped(truth_of(("matrix, the", 1999), (" SAW ", 2003), seen_titles=[["AMELIE", 2002]]))

    assert row[TRUTH] == [["The Matrix", 1999], ["Saw", 2004]]
    assert row[SEEN] == [["Amélie", 2001]]
    assert row["groundtruth_unmapped"] == []
    assert counts == {
        "ground truth: mapped exactly": 1,
        "ground truth: mapped by another year": 1,
        "history: mapped by another year": 1,
    }


def test_what_is_counted_has_an_example_that_says_what_became_of_the_title(tmp_path):
    outcomes = list(
        MapTitles(catalog_path=write_catalog(tmp_path))([truth_of(("Saw", 2003), ("Jaws", 1975))])
    )

    assert [outcome.example for outcome in outcomes[:-1]] == ["Saw (2003) -> Saw (2004)", "Jaws (1975)"]


def test_a_title_of_another_year_is_another_film(mapped):
    row, counts = mapped(truth_of(("Saw", 2014), ("Saw", 2004)))

    assert row[TRUTH] == [["Saw", 2004]]
    assert row["groundtruth_unmapped"] == [{"title": "Saw", "year": 2014}]
    assert counts["ground truth: unmapped"] == 1


def test_unmapped_ground_truth_may_be_kept_and_the_history_always_is(mapped):
    row, _ = mapped(truth_of(("Jaws", 1975), seen_titles=[["Alien", 1979]]), unmapped="keep")

    assert row[TRUTH] == [["Jaws", 1975]]
    assert row["groundtruth_unmapped"] == [{"title": "Jaws", "year": 1975}]
    assert row[SEEN] == [["Alien", 1979]]


def test_mapping_twice_changes_nothing_and_forgets_nothing(mapped):
    once, _ = mapped(truth_of(("Jaws", 1975), ("the matrix", 2000), seen_titles=[["after life", 2020]]))
    twice, counts = mapped(once)

    assert twice == once
    assert counts == {"ground truth: mapped exactly": 1, "history: mapped exactly": 1}


def test_a_title_without_a_year_is_never_mapped_by_its_name(mapped):
    row, counts = mapped(truth_of(("The Matrix", 1999), seen_titles=["saw", ["amelie", None]]))

    assert row[SEEN] == [["saw", None], ["amelie", None]]
    assert counts["history: without a year, not mapped"] == 2


def test_titles_that_turn_out_to_be_the_same_are_merged(mapped):
    row, counts = mapped(
        truth_of(("The Matrix", 1999), ("Matrix", 1999), seen_titles=[["Saw", 2004], ["SAW", 2005]])
    )

    assert row[TRUTH] == [["The Matrix", 1999]]
    assert row[SEEN] == [["Saw", 2004]]
    assert counts["ground truth: named twice"] == 1


@pytest.mark.parametrize("seen", [["SAW", 2004], ["saw", 2006], ["Saw", None]])
def test_ground_truth_that_the_user_has_seen_is_removed(mapped, seen):
    row, counts = mapped(truth_of(("Saw", 2003), ("The Matrix", 1999), seen_titles=[seen]))

    assert row[TRUTH] == [["The Matrix", 1999]]
    assert counts["ground truth: removed, since the user has seen it"] == 1


def test_a_row_without_titles_is_passed_on_as_it_is(mapped):
    assert mapped({"prompt": "Hi", "note": [1]}) == ({"prompt": "Hi", "note": [1]}, {})


def test_ground_truth_without_a_year_is_mapped_if_one_entry_alone_has_its_name(mapped):
    titles = (Title("Saw", 2004), Title("The Room", 2003), Title("The Room", 2019))
    row, counted = mapped(truth_of(("saw", None), ("The Room", None), ("Jaws", None)), titles)

    assert row[TRUTH] == [["Saw", 2004]]
    assert row["groundtruth_unmapped"] == [
        {"title": "The Room", "year": None},
        {"title": "Jaws", "year": None},
    ]
    assert counted["ground truth: without a year, mapped by its name alone"] == 1


# --- several entries ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("Afterlife", CATALOG[5]),
        ("After Life", CATALOG[4]),
        ("AFTER LIFE", CATALOG[4]),
        ("after-life", CATALOG[5]),
        ("the fall", CATALOG[7]),
        ("Fall, The", CATALOG[7]),
        ("FALL", CATALOG[6]),
        ("MOTHER!", CATALOG[9]),
        ("mother", CATALOG[8]),
    ],
)
def test_of_entries_with_one_normal_form_and_year_the_most_alike_is_taken(matcher, name, entry):
    assert matcher.match(Title(name, entry.year)) == Match(entry, How.EXACTLY)


def test_if_letters_do_not_decide_the_first_is_taken_and_called_ambiguous(matcher):
    assert matcher.match(Title("Aft er Life", 2019)) == Match(Title("After Life", 2019), How.AMBIGUOUS)
    assert matcher.match(Title("M.o.t.h.e.r", 2018)) == Match(Title("Mother", 2017), How.AMBIGUOUS)


def test_another_year_is_mapped_for_the_very_same_name_alone():
    matcher = TitleMatcher(Catalog([Title("The Batman", 2022), Title("Batman", 2020)]), tolerance=2)

    assert matcher.match(Title("the batman", 2021)) == Match(Title("The Batman", 2022), How.OTHER_YEAR)
    assert matcher.match(Title("Bat Man", 2021)) == Match(Title("Batman", 2020), How.OTHER_YEAR)
    assert matcher.match(Title("A Batman", 2021)) is None


def test_between_two_years_that_are_equally_near_nothing_is_mapped(mapped):
    films = (Title("Outrage", 2009), Title("Outrage", 2011))
    row, counts = mapped(truth_of(("Outrage", 2010)), films)

    assert row[TRUTH] == []
    assert counts == {"ground truth: ambiguous: entries of two years are equally near, not mapped": 1}


@pytest.mark.parametrize(
    ("asked", "entry"),
    [
        (("Jumanji", 2017), ("Jumanji: Welcome to the Jungle", 2017)),
        (("Kingsman: The Secret Service", 2014), ("Kingsman", 2014)),
        (
            ("Star Wars: The Rise of Skywalker", 2019),
            ("Star Wars: Episode IX - The Rise of Skywalker", 2019),
        ),
        (("Birdman", 2014), ("Birdman or (The Unexpected Virtue of Ignorance)", 2014)),
        (("Dr. Strangelove", 1964), ("Dr. Strangelove or: How I Learned to Stop Worrying", 1964)),
        (("Borat", 2006), ("Borat - Cultural Learnings of America", 2006)),
    ],
    ids=["with one", "without one", "in the middle", "or", "or with a colon", "behind a dash"],
)
def test_a_unique_subtitle_of_the_same_year_is_mapped_as_a_stage_of_its_own(mapped, asked, entry):
    row, counts = mapped(truth_of(asked), (Title(*entry), Title("Saw", 2004)))
    left, _ = mapped(truth_of(asked), (Title(*entry), Title("Saw", 2004)), subtitles=False)

    assert row[TRUTH] == [list(entry)]
    assert sum(counts.values()) == 1
    assert counts.get("ground truth: mapped by its subtitle") == 1 or asked[0] == "Birdman"
    assert left[TRUTH] == [] or asked[0] == "Birdman"


def test_a_subtitle_that_is_not_unique_or_of_another_year_is_not_mapped(mapped):
    films = (
        Title("Jumanji: Welcome to the Jungle", 2017),
        Title("Jumanji: The Cartoon", 2017),
        Title("Kingsman: The Golden Circle", 2017),
        Title("Alien: Covenant", 2017),
    )
    asked = [("Jumanji", 2017), ("Kingsman", 2016), ("Aliens", 2017), ("Alien: Romulus", 2017)]
    row, counts = mapped(truth_of(*asked), films)

    assert row[TRUTH] == []
    assert counts == {"ground truth: unmapped": 4}


def test_an_entry_that_the_catalog_holds_twice_is_not_ambiguous():
    matcher = TitleMatcher(Catalog([Title("Saw", 2004), Title("Saw", 2004)]), tolerance=0)

    assert matcher.match(Title("saw", 2004)) == Match(Title("Saw", 2004), How.EXACTLY)


# --- the Reddit catalog ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reddit():
    if not REAL_CATALOG.is_file():
        pytest.skip(f"the Reddit catalog is not beside the checkout ({REAL_CATALOG})")
    rows = map(json.loads, REAL_CATALOG.read_text(encoding="utf-8").splitlines())
    return [Title(row["title"], row["year"]) for row in rows]


ARTICLE = re.compile(r"^(the|a|an) (.*\w.*)$", re.IGNORECASE)


def without_accents(name):
    return "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))


def without_punctuation(name):
    return "".join(c for c in name if c.isalnum() or c in " &" or unicodedata.combining(c))


def without_spaces(name):
    article, _, rest = name.partition(" ")
    if normal_form(rest) == normal_form(name):  # what stands in front is an article
        return f"{article} {rest.replace(' ', '')}"
    return name.replace(" ", "")


SPELLINGS = {
    "as written": (str, 0),
    "lower case": (str.lower, 0),
    "upper case": (str.upper, 0),
    "no accents": (without_accents, 3),
    "and as &": (lambda name: re.sub(r"\band\b", "&", name), 0),
    "& as and": (lambda name: name.replace("&", "and"), 0),
    "article behind a comma": (lambda name: ARTICLE.sub(r"\2, \1", name), 1),
    "no leading article": (lambda name: ARTICLE.sub(r"\2", name), 4),
    "no punctuation": (without_punctuation, 17),
    "more spaces": (lambda name: "  " + name.replace(" ", "   ") + " ", 0),
    "no punctuation, no spaces but behind an article": (lambda n: without_spaces(without_punctuation(n)), 22),
    "the normal form itself": (normal_form, 27),
}
"""Ways to write a title, and how many of the catalog's 7,403 then look like another one of that year."""


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_title_of_a_real_catalog_maps_to_itself_in_all_its_spellings(reddit, spelling):
    """But for titles whose spelling is then that of a twin: an entry of one normal form and year.

    There are 27 pairs of twins. Without punctuation 17 of them are one ("Mother" and "Mother!"); 3
    differ in the leading article alone, and 3 in spaces alone.
    """
    write, indistinct = SPELLINGS[spelling]
    matcher = TitleMatcher(Catalog(reddit), tolerance=2)
    matches = {title: matcher.match(Title(write(title.name), title.year)) for title in reddit}
    others = {title: match.title for title, match in matches.items() if match.title != title}

    assert len(reddit) == 7403
    assert len(others) == indistinct
    for title, other in others.items():  # nothing is lost but between twins
        assert (normal_form(title.name), title.year) == (normal_form(other.name), other.year)


def test_no_title_of_a_real_catalog_is_taken_for_another_one_misspelled(reddit):
    for known, asked in ((reddit[::2], reddit[1::2]), (reddit[1::2], reddit[::2])):
        forms = {normal_form(title.name) for title in known}
        search = SpellingSearch(known, tolerance=2, min_score=92)
        others = (title for title in asked if normal_form(title.name) not in forms)

        assert [title for title in others if search.nearest_form(title)] == []


def test_a_title_of_a_real_catalog_that_lacks_a_letter_is_found_or_not_but_never_as_another(reddit):
    search = SpellingSearch(reddit, tolerance=2, min_score=92)
    forms = {normal_form(title.name) for title in reddit}
    matched = 0
    for title in reddit[::5]:
        misspelled = Title(title.name[:3] + title.name[4:], title.year)
        if normal_form(misspelled.name) not in forms and (nearest := search.nearest_form(misspelled)):
            assert nearest[0] == normal_form(title.name)
            matched += 1

    assert matched > len(reddit[::5]) / 4


# --- by spelling -------------------------------------------------------------------------------

SERIES = (
    Title("Saw II", 2005),
    Title("Rocky 2", 1979),
    Title("Kill Bill: Vol. 1", 2003),
    Title("Harry Potter and the Deathly Hallows: Part 1", 2010),
    Title("It Chapter Two", 2019),
    Title("Ocean's Twelve", 2004),
    Title("Alien", 1979),
    Title("The Shawshank Redemption", 1994),
    Title("Pirates of the Caribbean: At World's End", 2007),
    Title("The Body", 2018),
    Title("The Visitor", 2007),
    Title("Nine", 2009),
)


@pytest.mark.parametrize(
    ("title", "entry"),
    [
        (Title("Shawshank Redemtion", 1994), Title("The Shawshank Redemption", 1994)),
        (Title("The Shawshank Redemption!!", 1995), Title("The Shawshank Redemption", 1994)),
        (Title("Pirates of the Carribean: At Worlds End", 2007), SERIES[8]),
        (Title("Kill Bill Volume One", 2003), Title("Kill Bill: Vol. 1", 2003)),
        (Title("Rocky II", 1979), Title("Rocky 2", 1979)),
        (Title("Harry Potter & the Deathly Halows, Pt. I", 2010), SERIES[3]),
        (Title("It: Chapter 2", 2019), Title("It Chapter Two", 2019)),
    ],
)
def test_misspelled_titles_are_found_with_their_score(mapped, title, entry):
    row, counts = mapped(truth_of(title), SERIES, fuzzy=True)

    assert row[TRUTH] == [list(entry)]
    if normal_form(title.name) == normal_form(entry.name):
        assert row["titles_fuzzy"] == []
    else:
        (mapping,) = row["titles_fuzzy"]
        assert (mapping["from"], mapping["to"]) == (str(title), str(entry))
        assert 92 <= mapping["score"] <= 100
        assert counts == {"ground truth: mapped by spelling": 1}


def test_a_misspelled_title_between_two_years_of_a_name_is_left_undecided(mapped):
    twins = (Title("The Shawshank Redemption", 2009), Title("The Shawshank Redemption", 2011))

    row, counts = mapped(truth_of(Title("Shawshank Redemtion", 2010)), twins, fuzzy=True)
    assert row[TRUTH] == []
    assert counts == {"ground truth: ambiguous: entries of two years are equally near, not mapped": 1}

    nearer, _ = mapped(truth_of(Title("Shawshank Redemtion", 2011)), twins, fuzzy=True)
    assert nearer[TRUTH] == [["The Shawshank Redemption", 2011]]


@pytest.mark.parametrize(
    "title",
    [
        Title("Saw III", 2005),
        Title("Saw", 2005),
        Title("Rocky 3", 1980),
        Title("Rocky III", 1980),
        Title("Kill Bill: Vol. 2", 2003),
        Title("Kill Bill: Volume Two", 2004),
        Title("Harry Potter and the Deathly Hallows: Part 2", 2011),
        Title("Harry Potter and the Deathly Hallows: Part Two", 2011),
        Title("Harry Potter and the Deathly Hallows", 2010),
        Title("It Chapter One", 2018),
        Title("Ocean's Eleven", 2003),
        Title("Ocean's 13", 2005),
        Title("Aliens", 1980),
        Title("The Boy", 2017),
        Title("The Visitors", 2007),
        Title("9", 2009),
        Title("Shawshank Redemtion", 1997),
        Title("The Shawshank Redemptions", 1994),
    ],
)
def test_sequels_other_films_and_other_years_are_never_taken_for_a_misspelling(mapped, title):
    row, counts = mapped(truth_of(title), SERIES, fuzzy=True, min_score=60, subtitles=False)

    assert row[TRUTH] == []
    assert counts == {"ground truth: unmapped": 1}


NUMBERS = st.sampled_from(
    [
        ("1", "I", "One"),
        ("2", "II", "Two"),
        ("3", "III", "Three"),
        ("4", "IV", "Four"),
        ("12", "XII", "Twelve"),
    ]
)


@given(NUMBERS, NUMBERS, st.integers(0, 2), st.integers(0, 2), st.sampled_from(["{}", "Part {}", "{} Days"]))
def test_titles_with_a_number_are_one_only_if_the_number_is(one, other, how, differently, pattern):
    name, asked = (
        pattern.format(f"Saw of Doom {one[how]}"),
        pattern.format(f"Saw of Doom {other[differently]}"),
    )
    search = SpellingSearch([Title(name, 2004)], tolerance=2, min_score=50)

    assert (search.nearest_form(Title(asked, 2004)) is not None) == (one == other)


def test_the_transform_can_be_sent_to_another_process_also_after_use(tmp_path):
    transform = MapTitles(catalog_path=write_catalog(tmp_path), fuzzy=True)
    row = truth_of(("Saw II", 2006), ("Jaws", 1975))
    outcomes = list(transform([row]))

    assert list(pickle.loads(pickle.dumps(transform))([row])) == outcomes  # noqa: S301 - our own


def test_two_entries_nearly_as_much_alike_are_none():
    entries = [Title("The Shawshank Redemptiom", 1994), Title("The Shawshank Redemptian", 1994)]

    for titles, expected in ((entries, False), (entries[:1], True)):
        search = SpellingSearch(titles, tolerance=2, min_score=90)
        assert (search.nearest_form(Title("The Shawshank Redemption", 1994)) is not None) == expected


def test_numbers_and_short_forms_are_written_alike():
    assert spelled("The Part Two, Vol. XIV: Dr. IX") == ["part", "2", "volume", "14", "doctor", "9"]
    assert spelled("Batman vs. Superman") == spelled("Batman versus Superman") == spelled("Batman v Superman")
    assert spelled("Nine") == ["nine"]
    assert words_of("Fast & Furious, The") == ["the", "fast", "and", "furious"]


def test_without_rapidfuzz_fuzzy_is_refused_when_the_transform_is_built(plugins, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rapidfuzz", None)
    entry = plugins.find(plugins.transforms, "map-titles")
    path = write_catalog(tmp_path)

    assert build(entry, {"catalog_path": path})
    with pytest.raises(ConfigError, match=r"pip install 'saferec\[data\]'"):
        build(entry, {"catalog_path": path, "fuzzy": True})


# --- many rows ---------------------------------------------------------------------------------


def test_a_row_is_mapped_with_bounded_work_however_many_there_are(tmp_path):
    transform = MapTitles(catalog_path=write_catalog(tmp_path))
    row = truth_of(*CATALOG, ("Jaws", 1975), seen_titles=[["amelie", 2000], ["x", None], ["Alien", 1979]])
    list(transform([row]))

    rows = 200
    lines = lines_executed(lambda: list(transform([row] * rows)))
    assert lines < 1000 * rows  # of Python; about 600 a row, 0.2 ms


def test_a_mapped_catalog_is_asked_and_never_read_as_a_whole(catalog_file):
    row = truth_of(("film 7", 1957), ("Movie 9", 1959), ("Saw", 2004))
    *_, mapped = MapTitles(catalog_path=catalog_file)([row])

    assert mapped[TRUTH] == [["Film 7", 1957], ["Film 9", 1959]]  # by its alias too
