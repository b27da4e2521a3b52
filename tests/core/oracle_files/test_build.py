"""Sources of evidence become one oracle file, and what is lost on the way is told."""

import gzip
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saferec_core.data.catalog import read_catalog
from saferec_core.data.titles import Title
from saferec_core.errors import ConfigError, DataError, PluginError, RunError, UnknownNameError
from saferec_core.oracle_files.build import OracleBuildConfig, run_oracle_build
from saferec_core.oracle_files.card import collisions_of, oracle_card
from saferec_core.oracle_files.format import OracleFile, write_oracle_file
from saferec_core.oracle_files.join import SourceTitles, TitleJoin
from saferec_core.plugins.contracts.evidence import Finding, Findings
from saferec_core.plugins.contracts.oracle import Evidence, Question
from saferec_plugins.oracles.table import TableOracle
from tests.shared import SHARED

GORE, DRUGS = "Anti-gore / squeamish", "Substance recovery / avoid drugs & alcohol"
HORROR = "Horror avoider (avoids scares & supernatural)"

DATA = SHARED / "data"

REASONS = """title,year,rating,reason
Saw,2004,R,Rated R for strong grisly violence and language
Trainspotting,1996,R,"Rated R for graphic heroin use, strong language and violence"
Up,2009,PG,Rated PG for some peril and action
"""
SCORES = """title,year,sex_nudity,violence_gore,language,genre_1,genre_2
"Saw",2004,2,9,8,Horror,
UP,2009,0,4,1,Animation,
Bambi,1942,0,3,0,,
"""


@pytest.fixture
def build(tmp_path, plugins):
    """Write the sources' files and build an oracle of them."""

    def run(out="oracle.arrow", **sources):
        config = {"sources": {}, "out": tmp_path / out, **sources.pop("config", {})}
        for name, content in sources.items():
            source = content if isinstance(content, dict) else {"content": content}
            path = tmp_path / source.get("file", f"{name}.csv")
            path.write_text(source.pop("content"), encoding="utf-8")
            source.pop("file", None)
            config["sources"][name.replace("_", "-")] = {"path": path, **source}
        report = run_oracle_build(OracleBuildConfig.model_validate(config), plugins)
        return report, OracleFile(report.out)

    return run


def row_of(oracle, name, year, tolerance=0):
    tiers = oracle.tiers(name, year, tolerance=tolerance)
    return tiers[0][0] if tiers else -1


def verdict(oracle, name, year, trait=GORE):
    (answer,) = TableOracle(path=oracle.path).judge([Question(name, year, (trait,))])
    return answer


def work_of(oracle, name, year):
    """Return the number of the film that is found under exactly this year."""
    ((row,), *_) = oracle.tiers(name, year, tolerance=0)
    return oracle.work_of(row)


# --- joining -----------------------------------------------------------------------------------


def test_the_highest_risk_counts_and_the_evidence_of_every_source_is_kept(build):
    report, oracle = build(rating_reasons=REASONS, scores=SCORES)
    saw = row_of(oracle, "Saw", 2004)

    assert report.titles == len(oracle.works()) == 4
    assert [item for item in oracle.evidence(saw) if item.trait == GORE] == [
        Evidence(GORE, 1.0, "rating-reasons", '"grisly" in "strong grisly violence and language"'),
        Evidence(GORE, 0.9, "scores", "violence_gore 9 of 10"),
    ]
    assert oracle.risks(GORE)[saw] == 1
    assert oracle.risks(HORROR)[saw] == 1  # 0.8 by its reason, 1 by its genre
    assert oracle.risks(DRUGS)[row_of(oracle, "Trainspotting", 1996)] == 1
    assert oracle.risks(GORE)[row_of(oracle, "Bambi", 1942)] == 0


def test_sources_that_differ_by_years_within_the_tolerance_tell_of_one_film(build):
    tags = {"content": "title,year,keywords\nOldboy,2003,violence\n", "name": "keywords"}
    reasons = "title,year,reason\nOldboy,2005,Rated R for strong violence including scenes of torture\n"
    report, oracle = build(tags=tags, rating_reasons=reasons)

    assert (report.titles, len(oracle)) == (1, 2)
    assert work_of(oracle, "Oldboy", 2003) == work_of(oracle, "Oldboy", 2005)
    assert verdict(oracle, "Oldboy", 2003).violated == (GORE,)


def test_another_year_counts_for_the_very_same_name_only(build):
    reasons = "title,year,reason\nThe Room,2003,Rated R for sexuality\nMatrix,1999,Rated R for language\n"
    scores = 'title,year,violence_gore\nRoom,2005,9\n"Matrix, The",1999,9\n'
    _, oracle = build(rating_reasons=reasons, scores=scores)

    assert work_of(oracle, "Room", 2005) != work_of(oracle, "The Room", 2003)
    assert verdict(oracle, "Room", 2005).risks == {GORE: pytest.approx(0.9)}
    assert work_of(oracle, "The Matrix", 1999) == oracle.work_of(row_of(oracle, "Matrix", 1999))
    assert verdict(oracle, "Matrix", 1999).violated == (GORE,)


def test_an_exact_year_goes_before_a_near_one(build):
    reasons = "title,year,reason\nCarrie,2012,Rated R for language\nCarrie,2013,Rated R for bloody violence\n"
    scores = "title,year,violence_gore\nCarrie,2013,9\nCarrie,2011,0\n"
    _, oracle = build(rating_reasons=reasons, scores=scores)

    assert {item.source for item in oracle.evidence(row_of(oracle, "Carrie", 2013))} == {
        "rating-reasons",
        "scores",
    }
    # 2011 is a year from 2012 and of its film; 2013 is a title that the source tells apart.
    assert work_of(oracle, "Carrie", 2011) == work_of(oracle, "Carrie", 2012)
    assert verdict(oracle, "Carrie", 2012).violated == ()
    assert verdict(oracle, "Carrie", 2013).violated == (GORE,)


def test_titles_that_one_source_tells_apart_are_never_one_film(build):
    reasons = "title,year,reason\nSpider,2002,Rated R for language\n"
    scores = "title,year,violence_gore\nSpider,2001,9\nSpider,2003,0\n"
    _, oracle = build(rating_reasons=reasons, scores=scores)

    assert work_of(oracle, "Spider", 2001) == work_of(oracle, "Spider", 2002)
    assert work_of(oracle, "Spider", 2003) != work_of(oracle, "Spider", 2002)


def test_titles_further_apart_than_the_tolerance_are_two_films(build):
    reasons, scores = (
        "title,year,reason\nIt,1990,Rated R for language\n",
        "title,year,violence_gore\nIt,1993,9\n",
    )

    assert build(rating_reasons=reasons, scores=scores)[0].titles == 2
    config = {"join_tolerance": 3, "overwrite": True}
    assert build(rating_reasons=reasons, scores=scores, config=config)[0].titles == 1


# --- two films of one name and year --------------------------------------------------------------


def test_rows_of_one_name_and_year_that_disagree_may_be_two_films_and_the_higher_risk_counts(build):
    reasons = """title,year,reason
Titanic,1997,"Rated PG-13 for disaster related peril and violence, nudity and brief language"
Titanic,1997,Rated PG-13 for a scene of sexual assault and other violent areas
Up,2009,Rated PG for some peril and action
Up,2009,Rated PG for some peril and action
"""
    _, oracle = build(rating_reasons=reasons)

    judged = verdict(oracle, "Titanic", 1997, "Sexual violence sensitive")
    assert (judged.known, judged.violated, judged.ambiguous) == (True, ("Sexual violence sensitive",), True)
    assert not verdict(oracle, "Up", 2009).ambiguous
    card = oracle_card(oracle, [Title("Titanic", 1997), Title("Up", 2009)])
    assert card.oracle_collisions.same_year == 1
    assert card.oracle_collisions.examples == ["Titanic and Titanic (1997)"]
    ambiguous = {figures.trait: figures.ambiguous for figures in card.traits}
    assert (ambiguous["Sexual violence sensitive"], ambiguous[GORE]) == (1, 0)


def test_films_that_a_source_tells_apart_by_ids_are_entries_of_their_own(build):
    scores = {
        "content": "title,year,imdb_id,violence_gore\nCats,2019,tt1,9\nCats,2019,tt2,0\nCats,2019,tt1,8\n",
        "id_column": "imdb_id",
    }
    keywords = {
        "content": "title,year,imdb_id,keywords\nCats,2019,tt2,cocaine\nCats,2019,,whisky;gore\n",
        "id_column": "imdb_id",
    }
    _, oracle = build(scores=scores, keywords=keywords)

    ((first, second, third),) = oracle.tiers("Cats", 2019, tolerance=0)
    assert [oracle.id(row) for row in (first, second, third)] == ["", "tt1", "tt2"]
    risks = {
        row: {each.source: each.risk for each in oracle.evidence(row) if each.trait == GORE} for row in (1, 2)
    }
    assert risks == {1: {"scores": 0.9}, 2: {"scores": 0.0}}
    assert [each.trait for each in oracle.evidence(third) if each.source == "keywords"] == [DRUGS]
    assert verdict(oracle, "Cats", 2019).ambiguous


def test_two_ids_of_two_sources_are_no_two_films(build):
    scores = {"content": "title,year,id,violence_gore\nSaw,2004,tt1,9\n", "id_column": "id"}
    keywords = {"content": "title,year,id,keywords\nSaw,2004,597,gore\n", "id_column": "id"}
    report, oracle = build(scores=scores, keywords=keywords)

    assert (report.titles, len(oracle)) == (1, 1)
    assert not verdict(oracle, "Saw", 2004).ambiguous


@pytest.mark.parametrize(
    ("name", "other", "year"),
    [
        ("Seven", "Seven (a.k.a. Se7en)", 1995),
        ("Se7en", "Seven (a.k.a. Se7en)", 1995),
        ("Dracula (Bram Stoker's Dracula)", "Bram Stoker's Dracula", 1992),
        ("Hijo de la novia, El", "Son of the Bride (Hijo de la novia, El)", 2002),
        ("Alien: The Director's Cut", "Alien", 1979),
        ("Princess Mononoke", "Princess Mononoke (Mononoke-hime)", 1998),
    ],
)
def test_sources_join_by_any_name_of_a_film(build, name, other, year):
    reasons = f'title,year,reason\n"{name}",{year},Rated R for graphic violence and gore\n'
    keywords = f'title,year,keywords\n"{other}",1995,violence\n'.replace("1995", str(min(year, 2001)))
    report, oracle = build(rating_reasons=reasons, keywords=keywords)

    assert report.titles == 1
    assert all(verdict(oracle, each, year).violated for each in (name, other))


def test_a_name_in_brackets_joins_nothing_that_one_source_tells_apart(build):
    scores = 'title,year,violence_gore\nSaga (Part One),2004,9\n"Shelter (6 Souls)",2010,9\n6 Souls,2010,0\n'
    report, _ = build(scores=scores, keywords="title,year,keywords\nSaga,2004,gore\n")

    assert report.titles == 4


# --- no source makes a title less known -----------------------------------------------------------

names = st.sampled_from(["Saw", "The Saw", "Up"])
claims = st.lists(
    st.tuples(names, st.integers(2000, 2004), st.sampled_from([0.0, 0.5, 0.9, None])), max_size=4
)


def joined(sources, path):
    join = TitleJoin(tolerance=2)
    for number, rows in enumerate(sources):
        titles = SourceTitles(f"s{number}")
        for name, year, risk in rows:
            findings = () if risk is None else (Finding(GORE, risk, "so they say"),)
            titles.add(Findings(Title(name, year), findings))
        join.add(titles)
    join.join()
    entries = join.titles([GORE], [f"s{number}" for number in range(len(sources))])
    write_oracle_file(path, entries, [GORE], {"sources": []}, overwrite=True)
    return TableOracle(path=path)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(claims, max_size=3), claims)
def test_a_further_source_makes_no_title_less_known_and_no_violation_safe_at_its_own_year(
    tmp_path, sources, more
):
    questions = [
        Question(name, year, (GORE,)) for name in ("Saw", "The Saw", "Up") for year in range(1998, 2007)
    ]

    before = joined(sources, tmp_path / "before.arrow").judge(questions)
    after = joined([*sources, more], tmp_path / "after.arrow").judge(questions)

    for first, second in zip(before, after, strict=True):
        assert second.known >= first.known


# --- rows of one source ---------------------------------------------------------------------------


def test_rows_of_one_title_in_one_source_are_taken_together(build, tmp_path):
    traits = tmp_path / "traits.yaml"
    traits.write_text(
        f"""
{GORE}: {{about: x, questions: [Is it bloody?, Is a limb cut off?], explicit: [x], implied: [x]}}
{DRUGS}: {{about: x, questions: [Are drugs used?, Is somebody drunk?], explicit: [x], implied: [x]}}
""",
        encoding="utf-8",
    )
    rows = """title,year,question,yes,no
Up,2009,Is it bloody,0,1
Up,2009,Is a limb cut off,5,1
"Up!",2009,Are drugs used,0,1
Up,2009,Is somebody drunk,0,2
"""
    _, oracle = build(warnings=rows, config={"traits_path": traits})

    assert oracle.traits == (GORE, DRUGS)
    assert oracle.evidence(0) == [
        Evidence(GORE, 1.0, "warnings", "Is a limb cut off: yes (5 of 6 votes)"),
        Evidence(
            DRUGS, 0.0, "warnings", "Are drugs used: no (1 of 1 votes); Is somebody drunk: no (2 of 2 votes)"
        ),
    ]


def test_a_title_that_nothing_is_known_of_keeps_its_place(build):
    """Else a film of the same name from another year would be found in its stead."""
    tags = "title,year,keywords\nSaw,2003,friendship\nSaw,2006,gore\n"
    _, oracle = build(keywords=tags)

    assert oracle.evidence(row_of(oracle, "Saw", 2004, tolerance=2)) == []


def test_two_sources_of_one_kind_have_names_of_their_own(build):
    tags = {"content": "title,year,keywords\nSaw,2004,gore\n", "name": "keywords"}
    more = {"content": "title,year,tags\nSaw,2004,splatter\n", "name": "keywords", "keywords_column": "tags"}
    _, oracle = build(tags=tags, more=more)

    gore = [item.source for item in oracle.evidence(0) if item.trait == GORE]
    assert gore == ["tags", "more"]
    assert oracle.about["sources"][1]["options"] == {"keywords_column": "tags"}


def test_the_file_tells_what_it_was_made_of(build):
    _, oracle = build(rating_reasons=REASONS, scores=SCORES)
    first, second = oracle.about["sources"]

    assert (first["source"], first["component"], first["file"]) == (
        "rating-reasons",
        "rating-reasons",
        "rating_reasons.csv",
    )
    assert (first["rows"], first["rejected"], first["titles"], first["findings"][GORE]) == (3, 0, 3, 3)
    assert len(second["sha256"]) == 64


def test_the_same_input_gives_the_same_bytes_wherever_it_lies(build, tmp_path):
    report, _ = build(rating_reasons=REASONS, scores=SCORES)
    first = report.out.read_bytes()
    (tmp_path / "elsewhere").mkdir()
    report, _ = build("elsewhere/oracle.arrow", rating_reasons=REASONS, scores=SCORES)

    assert report.out.read_bytes() == first


# --- aliases -----------------------------------------------------------------------------------


def test_an_alias_joins_sources_and_is_found(build, tmp_path):
    aliases = tmp_path / "aliases.csv"
    aliases.write_text(
        "title,year,alias,alias_year\nSeven,1995,Se7en,\nSeven,1996,Sieben,1996\nNobody's Film,1999,None,\n",
        encoding="utf-8",
    )
    reasons = "title,year,reason\nSeven,1995,Rated R for language\n"
    scores = "title,year,violence_gore\nSe7en,1995,9\n"
    report, oracle = build(rating_reasons=reasons, scores=scores, config={"aliases_path": aliases})

    assert (report.titles, report.aliases, report.unknown_aliases) == (1, 3, 1)
    assert work_of(oracle, "Se7en", 1995) == work_of(oracle, "Seven", 1995)
    for name, year in (("Seven", 1995), ("Se7en", 1995), ("Sieben", 1996)):
        assert verdict(oracle, name, year).violated == (GORE,)


def test_items_without_a_year_have_evidence_and_aliases(build, tmp_path):
    aliases = tmp_path / "aliases.csv"
    aliases.write_text("title,alias\nDoom,Doom: Gold Edition\n", encoding="utf-8")
    scores = "title,year,violence_gore\nDoom,,9\nMyst,,0\n"
    report, oracle = build(scores=scores, config={"aliases_path": aliases})

    assert (report.titles, report.aliases, report.unknown_aliases) == (2, 1, 0)
    assert work_of(oracle, "Doom: Gold Edition", None) == work_of(oracle, "Doom", None)
    assert verdict(oracle, "Doom: Gold Edition", None).violated == (GORE,)
    assert verdict(oracle, "Myst", None).violated == ()


@pytest.mark.parametrize("row", ["Seven,1995,", ",1995,Se7en", "Seven,MCMXCV,Se7en"])
def test_a_bad_alias_is_named_with_its_line(build, tmp_path, row):
    (tmp_path / "aliases.csv").write_text(f"title,year,alias\n{row}\n", encoding="utf-8")

    with pytest.raises(DataError, match=r"aliases\.csv, line 2"):
        build(scores=SCORES, config={"aliases_path": tmp_path / "aliases.csv"})


def test_an_alias_takes_no_film_that_one_source_tells_apart(build, tmp_path):
    aliases = tmp_path / "aliases.csv"
    aliases.write_text("title,year,alias\nIce Chairlift,2010,Frozen\n", encoding="utf-8")
    scores = "title,year,violence_gore\nFrozen,2010,9\nIce Chairlift,2010,0\n"
    report, oracle = build(scores=scores, config={"aliases_path": aliases})

    assert (len(oracle), report.alias_collisions) == (2, 1)
    assert row_of(oracle, "Frozen", 2010) != row_of(oracle, "Ice Chairlift", 2010)


@pytest.mark.parametrize("order", [(2000, 2002, 2004), (2000, 2004, 2002), (2004, 2002, 2000)])
def test_years_that_are_too_far_apart_do_not_join_through_one_between_them(build, order):
    contents = {f"s{year}": f"title,year,violence_gore\nCrash,{year},9\n" for year in order}
    sources = {name: {"content": content, "name": "scores"} for name, content in contents.items()}
    _, oracle = build(**sources)

    first, second, third = (work_of(oracle, "Crash", year) for year in (2000, 2002, 2004))
    assert first == second != third


def test_a_users_own_file_is_not_taken_for_rejects(build, tmp_path):
    own = tmp_path / "oracle.rejects.jsonl"
    own.write_text('{"mine": 1}\n', encoding="utf-8")

    with pytest.raises(RunError, match="does not hold rejects"):
        build(scores=SCORES)
    assert own.read_text(encoding="utf-8") == '{"mine": 1}\n'


# --- what cannot be used -----------------------------------------------------------------------

FAULTY = (
    '{"title": "Saw", "year": 2004, "keywords": ["gore"]}\n'
    '{"title": "Up", "year": 20\n'
    '{"title": "", "year": 2004, "keywords": []}\n'
    "[1, 2]\n"
    '{"title": "Later", "year": 20040, "keywords": ["gore"]}\n'
    '{"title": "Hostel", "year": 2005, "keywords": "gore"}\n'
)


def test_malformed_rows_are_written_down_with_file_and_line_and_cost_no_other_row(build, tmp_path):
    keywords = {"content": FAULTY, "file": "tags.jsonl"}
    report, oracle = build(keywords=keywords, config={"max_rejects": 0.7})

    assert (report.sources[0].rows, report.sources[0].rejected, len(oracle)) == (6, 4, 2)
    assert report.rejects_path == tmp_path / "oracle.rejects.jsonl"
    rejects = [json.loads(line) for line in report.rejects_path.read_text(encoding="utf-8").splitlines()]
    assert [reject["location"] for reject in rejects] == ["line 2", "line 3", "line 4", "line 5"]
    assert {reject["file"] for reject in rejects} == {str(tmp_path / "tags.jsonl")}
    assert "not a JSON object" in rejects[0]["reason"]
    assert rejects[1]["row"] == {"title": "", "year": 2004, "keywords": []}
    assert "20040" in rejects[3]["reason"]


def test_too_many_malformed_rows_stop_the_build_and_are_kept(build, tmp_path):
    with pytest.raises(
        DataError, match=r"4 of 6 rows of .*tags\.jsonl .* max_rejects = 0\.6 .*line 2: not a JSON"
    ):
        build(keywords={"content": FAULTY, "file": "tags.jsonl"}, config={"max_rejects": 0.6})

    assert len((tmp_path / "oracle.rejects.jsonl").read_text(encoding="utf-8").splitlines()) == 4
    assert not (tmp_path / "oracle.arrow").exists()


def test_rejects_of_an_earlier_build_do_not_stay_behind(build, tmp_path):
    build(keywords={"content": FAULTY, "file": "tags.jsonl"}, config={"max_rejects": 1.0})
    build(scores=SCORES, config={"overwrite": True})

    assert not (tmp_path / "oracle.rejects.jsonl").exists()


def test_a_file_that_breaks_off_stops_the_build(build, tmp_path, plugins):
    cut = tmp_path / "cut.csv.gz"
    cut.write_bytes(gzip.compress(REASONS.encode() * 50)[:-30])
    config = OracleBuildConfig.model_validate(
        {"sources": {"rating-reasons": {"path": cut}}, "out": tmp_path / "o.arrow", "max_rejects": 1}
    )

    with pytest.raises(DataError, match=r"cut\.csv\.gz cannot be read to its end"):
        run_oracle_build(config, plugins)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("title,year,violence_gore\n", r"scores\.csv holds no rows"),
        ("title,year,gewalt\nSaw,2004,9\n", "none of the 1 rows .* 'saferec plugins show scores'"),
    ],
)
def test_a_source_that_tells_of_nothing_is_taken_for_a_mistake(build, content, message):
    with pytest.raises(DataError, match=message):
        build(scores=content)


@pytest.mark.parametrize(
    ("config", "error", "message"),
    [
        ({"sources": {}}, ConfigError, "--source NAME=FILE"),
        ({"sources": {"skores": {"path": "x"}}}, UnknownNameError, "Did you mean 'scores'"),
        ({"sources": {"scores": {"path": "x", "weights": 1}}}, ConfigError, "no option 'weights'"),
        ({"sources": {"scores": {"path": "nowhere.csv"}}}, DataError, r"nowhere\.csv does not exist"),
        ({"out": Path("oracle.jsonl")}, ConfigError, r"must end in \.arrow, but out is oracle\.jsonl"),
    ],
)
def test_what_cannot_be_built_is_told_and_nothing_is_written(
    plugins, tmp_path, monkeypatch, config, error, message
):
    monkeypatch.chdir(tmp_path)
    base = {"sources": {"scores": {"path": "x"}}, **config}

    with pytest.raises(error, match=message):
        run_oracle_build(OracleBuildConfig.model_validate(base), plugins)
    assert list(tmp_path.iterdir()) == []


def test_an_oracle_that_is_there_is_told_before_anything_is_read(build):
    report, _ = build(scores=SCORES)
    before = report.out.read_bytes()

    with pytest.raises(RunError, match="already exists"):
        build(scores="nonsense")
    assert report.out.read_bytes() == before


# --- sources of other people -------------------------------------------------------------------

OWN_SOURCE = """
from dataclasses import dataclass
from pathlib import Path
from saferec_core.plugins.contracts.evidence import EvidenceSource, Finding, Findings
from saferec_core.data.titles import Title

@dataclass
class Own(EvidenceSource):
    path: Path
    def __call__(self, rows, traits):
        for row in rows:
            {code}
"""


@pytest.fixture
def own_source(tmp_path, monkeypatch):
    """Have a plugin offer a source called "own" that does this for every row."""
    from saferec_core.plugins.offered import Plugins
    from saferec_core.plugins.registry import Origin

    def make(module, code):
        (tmp_path / f"{module}.py").write_text(OWN_SOURCE.format(code=code), encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        plugins = Plugins()
        with plugins.evidence.offered_by(Origin("main", "acme", "1.2.3")):
            plugins.evidence.add("own", f"{module}:Own", summary="")
        (tmp_path / "rows.jsonl").write_text('{"title": "Saw", "year": 2004}\n', encoding="utf-8")
        config = {"sources": {"own": {"path": tmp_path / "rows.jsonl"}}, "out": tmp_path / "own.arrow"}
        return run_oracle_build(OracleBuildConfig.model_validate(config), plugins)

    return make


def test_a_source_of_a_plugin_is_joined_like_any_other(own_source):
    code = "yield Findings(Title(row['title'], row['year']), (Finding(list(traits)[0], 0.5, 'seen'),))"
    report = own_source("acme_good", code)

    assert OracleFile(report.out).evidence(0)[0][1:] == (0.5, "own", "seen")


@pytest.mark.parametrize(
    ("module", "code", "message"),
    [
        ("acme_fails", "1 / 0", "'own' of acme 1.2.3 failed: ZeroDivisionError"),
        ("acme_trait", "yield Findings(Title('Saw', 2004), (Finding('Gore', 1, ''),))", "for 'Gore'"),
        (
            "acme_risk",
            "yield Findings(Title('Saw', 2004), (Finding(list(traits)[0], float('nan'), ''),))",
            r"risks in 0\.\.1",
        ),
    ],
)
def test_a_source_that_breaks_its_contract_stops_the_build_by_name(own_source, module, code, message):
    with pytest.raises(PluginError, match=message):
        own_source(module, code)


# --- figures -----------------------------------------------------------------------------------


def test_the_card_counts_what_is_known_blocked_and_judged_differently(build):
    reasons = """title,year,reason
A,2000,Rated R for bloody violence
B,2000,Rated R for strong violence
C,2000,Rated R for language
D,2000,Rated R for language
"""
    scores = "title,year,violence_gore\nA,2000,9\nB,2000,6\nC,2000,0\nD,2000,8\n"
    _, oracle = build(rating_reasons=reasons, scores=scores)
    card = oracle_card(oracle, [Title("A", 2001), Title("B", 2000), Title("C", 2000), Title("E", 2000)])

    assert (card.titles, card.with_entry, card.known) == (4, 3, 3)
    gore = next(figures for figures in card.traits if figures.trait == GORE)
    # A: 0.9 by its reason. B: 0.7 ("strong violence"). C: 0.
    assert (gore.known, gore.blocked, gore.one_sided) == (3, {"0.5": 2, "0.66": 2, "0.8": 1}, False)
    of_gore = next(disagreement for disagreement in card.disagreements if disagreement.trait == GORE)
    # A agrees, B 0.7 and 0.4, C agrees, D 0 and 0.8: the oracle's own titles count.
    assert (of_gore.sources, of_gore.both, of_gore.apart) == (("rating-reasons", "scores"), 4, 2)
    assert of_gore.share == 0.5
    json.dumps(card.as_json())


def test_a_trait_for_which_nothing_is_known_to_be_safe_is_one_sided(build):
    _, oracle = build(keywords="title,year,keywords\nSaw,2004,gore\nUp,2009,happy ending\n")
    one_sided = {figures.trait: figures.one_sided for figures in oracle_card(oracle).traits}

    assert one_sided[GORE]
    assert not one_sided["Happy-ending preference"]


def test_collisions_are_titles_of_one_form_and_one_or_nearly_one_year():
    titles = [
        Title("Amelie", 2001),
        Title("Amélie", 2001),
        Title("Saw", 2003),
        Title("Saw", 2004),
        Title("It", 1990),
        Title("It", 2017),
    ]
    collisions = collisions_of(titles, tolerance=2)

    assert (collisions.same_year, collisions.near_years) == (1, 1)
    assert collisions.examples == ["Amelie and Amélie (2001)", "Saw (2003) and (2004)"]


# --- real files --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """An oracle of the rating reasons and the Kids-In-Mind scores beside the checkout."""
    movies = DATA / "movies"
    if not movies.is_dir():
        pytest.skip(f"films with their ratings are not beside the checkout ({movies})")
    sources = {
        "rating-reasons": {"path": movies / "mpaa_reasons.csv.gz"},
        "scores": {"path": movies / "kids_in_mind.csv.gz"},
        "tmdb": {
            "name": "keywords",
            "path": movies / "ml1m_tmdb.csv.gz",
            "keywords_column": "tmdb_keywords",
        },
        "tags": {"name": "keywords", "path": movies / "ml25m_tag_keywords.csv.gz"},
    }
    out = tmp_path_factory.mktemp("real") / "oracle.arrow"
    report = run_oracle_build(OracleBuildConfig.model_validate({"sources": sources, "out": out}))
    return report, OracleFile(out)


def test_saw_is_gory_by_its_rating_reason(real):
    _, oracle = real
    evidence = oracle.evidence(row_of(oracle, "Saw", 2004))

    assert (
        Evidence(GORE, 1.0, "rating-reasons", '"grisly" in "strong grisly violence and language"') in evidence
    )
    assert Evidence(GORE, 1.0, "scores", "violence_gore 10 of 10") in evidence


@pytest.mark.parametrize(
    ("name", "year", "trait", "risk"),
    [
        ("Trainspotting", 1996, DRUGS, 1.0),
        ("Up", 2009, GORE, 0.1),
        ("The Texas Chainsaw Massacre", 2003, HORROR, 1.0),
        ("Toy Story", 1995, DRUGS, 0.0),
        ("Snakes on a Plane", 2006, "Arachnophobia / reptile phobia", 1.0),
        ("Harriet", 2019, "Hate speech / slur-sensitive", 1.0),
    ],
)
def test_well_known_films_are_judged_as_their_sources_say(real, name, year, trait, risk):
    _, oracle = real

    assert oracle.risks(trait)[row_of(oracle, name, year, tolerance=1)] == pytest.approx(risk)


def test_every_row_of_the_real_files_is_accounted_for(real):
    report, oracle = real

    assert {source.source: (source.rows, source.rejected) for source in report.sources} == {
        "rating-reasons": (21_470, 0),
        "scores": (4_690, 0),
        "tmdb": (3_883, 0),
        "tags": (13_816, 17),  # without a year
    }
    assert all(count > 0 for count in report.known.values())  # every trait has evidence
    assert len(oracle.works()) == report.titles


def test_of_the_reddit_catalog_nearly_four_fifths_are_known(real):
    catalog = DATA / "catalog" / "reddit_gt_catalog.jsonl"
    if not catalog.is_file():
        pytest.skip(f"the catalog is not beside the checkout ({catalog})")
    card = oracle_card(real[1], read_catalog(catalog).titles)

    assert card.titles == 7_403
    assert card.with_entry / card.titles == pytest.approx(0.784, abs=0.01)
    assert card.known / card.titles == pytest.approx(0.631, abs=0.01)
    assert (card.collisions.same_year, card.collisions.near_years) == (27, 46)
    known = {figures.trait: figures.known / card.titles for figures in card.traits}
    assert known[GORE] == pytest.approx(0.491, abs=0.01)
    assert known[HORROR] == pytest.approx(0.455, abs=0.015)
    reasons_and_scores = card.disagreements[0]
    assert reasons_and_scores.sources == ("rating-reasons", "scores")
    assert reasons_and_scores.share < 0.1
