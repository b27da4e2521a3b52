"""``saferec oracle``: from files of sources to a verdict that explains itself."""

import json
import resource
import subprocess
import sys

import pytest

GORE = "Anti-gore / squeamish"
DRUGS = "Substance recovery / avoid drugs & alcohol"

REASONS = """title,year,rating,reason
Saw,2004,R,Rated R for strong grisly violence and language
Up,2009,PG,Rated PG for some peril and action
Trainspotting,1996,R,"Rated R for graphic heroin use, strong language and violence"
"""
SCORES = "title,year,violence_gore\nSaw,2003,10\nUp,2009,4\nThe [REC] Tapes,2007,9\n"
TAGS = "title,tags\nSaw (2004),splatter|trap\n"


@pytest.fixture
def files(tmp_path):
    for name, content in (("reasons", REASONS), ("scores", SCORES), ("tags", TAGS)):
        (tmp_path / f"{name}.csv").write_text(content, encoding="utf-8")
    return tmp_path


BUILD = ("oracle", "build", "--source", "rating-reasons=reasons.csv", "--source", "scores=scores.csv")


@pytest.fixture
def built(main, files):
    outcome = main(*BUILD, "--out", "oracle.arrow")
    assert outcome.status == 0, outcome.err
    return files / "oracle.arrow"


# --- build -------------------------------------------------------------------------------------


def test_build_tells_what_each_source_gave(main, files):
    outcome = main(*BUILD, "--source", "tags:keywords=tags.csv", "--set", "sources.tags.keywords_column=tags")

    assert (outcome.status, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert "4 titles: oracle.arrow" in lines[-1]
    assert any("scores.csv" in line and "3" in line for line in lines)
    [gore] = [line for line in lines if GORE in line]
    assert " ".join(gore.removeprefix(GORE).split()) == "4 rating-reasons 3, scores 3, tags 1"
    assert (files / "oracle.arrow").is_file()


def test_build_reads_its_settings_from_a_file_which_flags_override(main, files):
    (files / "oracle.yaml").write_text(
        "sources:\n"
        "  rating-reasons: {path: reasons.csv}\n"
        "  tags: {name: keywords, path: tags.csv, keywords_column: tags}\n"
        "out: other.arrow\n",
        encoding="utf-8",
    )
    outcome = main("oracle", "build", "oracle.yaml", "--source", "scores=scores.csv", "--out", "mine.arrow")

    assert outcome.status == 0, outcome.err
    assert (files / "mine.arrow").is_file()
    assert not (files / "other.arrow").exists()
    assert {"reasons.csv", "tags.csv", "scores.csv"} <= set(outcome.out.split())


def test_rows_that_cannot_be_used_are_counted_and_named(main, files):
    (files / "scores.csv").write_text(SCORES + "Up,2009,eleven\n", encoding="utf-8")

    stopped = main(*BUILD)
    assert stopped.status == 2
    assert "1 of 4 rows of scores.csv cannot be used" in stopped.err
    assert "line 5: 'violence_gore' must be a score in 0..10, but is 'eleven'" in stopped.err
    assert not (files / "oracle.arrow").exists()

    outcome = main(*BUILD, "--max-rejects", "0.5")
    assert outcome.status == 0
    assert "Rows that could not be used: oracle.rejects.jsonl" in outcome.out


def test_a_further_name_is_found(main, files):
    (files / "aliases.csv").write_text("title,year,alias\nSaw,2004,Jigsaw's Game\n", encoding="utf-8")

    assert main(*BUILD, "--aliases-path", "aliases.csv").status == 0
    outcome = main("oracle", "check", "jigsaws game", "2004", "--trait", GORE)
    assert "found as Saw (2004)" in outcome.out


def test_the_year_may_stand_behind_the_title(main, built):
    apart, behind = main("oracle", "check", "Saw", "2004"), main("oracle", "check", "Saw (2004)")

    assert (behind.status, behind.out) == (0, apart.out)
    assert "violates" in behind.out


def test_an_oracle_is_only_replaced_on_demand(main, built):
    before = built.read_bytes()

    outcome = main(*BUILD)
    assert (outcome.status, outcome.err.count("\n")) == (2, 1)
    assert "oracle.arrow already exists" in outcome.err
    assert main(*BUILD, "--overwrite").status == 0
    assert built.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "an oracle needs a source; name one with --source NAME=FILE"),
        (["--source", "scores"], "--source expects NAME=FILE"),
        (["--source", "scores=a.csv", "--source", "scores=b.csv"], "--source more:scores=b.csv"),
        (["--source", "skores=scores.csv"], "unknown evidence 'skores'. Did you mean 'scores'?"),
        (["--source", "scores=nowhere.csv"], "nowhere.csv does not exist"),
        (["--source", "scores=scores.csv", "--set", "sources.scores.rule=x"], "has no option 'rule'"),
        (["--source", "scores=scores.csv", "--set", "outt=x"], "unknown key 'outt'. Did you mean 'out'?"),
        (["--source", "scores=scores.csv", "--max-rejects", "2"], "max_rejects"),
        (["--source", "scores=scores.csv", "--out", "oracle.bin"], "must end in .arrow"),
        (["--source", "scores=scores.csv", "--traits-path", "no.yaml"], "no.yaml"),
        (["--source", "scores=scores.csv", "--aliases-path", "no.csv"], "no.csv does not exist"),
        (["nowhere.yaml"], "configuration nowhere.yaml does not exist"),
    ],
)
def test_a_mistake_is_one_message_and_exit_status_2(main, files, arguments, message):
    outcome = main("oracle", "build", *arguments)

    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith("error: ")
    assert message in outcome.err
    assert not list(files.glob("*oracle*"))


# --- check -------------------------------------------------------------------------------------


def test_check_tells_the_verdict_with_its_evidence(main, built):
    outcome = main("oracle", "check", "Saw", "2004", "--trait", GORE, "--trait", DRUGS)

    assert outcome.status == 0
    assert 'rating-reasons (1.00): "grisly" in "strong grisly violence and language"' in outcome.out
    assert "scores (1.00): violence_gore 10 of 10" in outcome.out
    [gore] = [line for line in outcome.out.splitlines() if GORE in line]
    assert "violates" in gore
    [drugs] = [line for line in outcome.out.splitlines() if DRUGS in line]
    assert "unknown (open)" in drugs  # a reason of an R rating that names no drugs leaves it open
    assert "nothing of the kind in" in drugs
    assert "Arachnophobia" not in outcome.out
    assert "safe" in main("oracle", "check", "Up", "2009", "--trait", DRUGS).out


def test_check_asks_for_all_traits_if_none_is_named(main, built):
    stored = json.loads(main("oracle", "check", "saw", "2005", "--json").out)

    assert (stored["has_entry"], stored["entry"]) == (True, ["Saw", 2004])
    assert len(stored["traits"]) == 20
    gore = next(trait for trait in stored["traits"] if trait["trait"] == GORE)
    assert (gore["risk"], gore["violated"]) == (1.0, True)
    assert gore["evidence"][0] == {
        "trait": GORE,
        "risk": 1.0,
        "source": "rating-reasons",
        "detail": '"grisly" in "strong grisly violence and language"',
    }
    spiders = next(trait for trait in stored["traits"] if trait["trait"].startswith("Arachno"))
    assert (spiders["risk"], spiders["violated"], spiders["evidence"]) == (None, False, [])


def test_the_threshold_decides(main, built):
    def verdict(threshold):
        arguments = ("--trait", GORE, "--risk-threshold", threshold, "--json")
        return json.loads(main("oracle", "check", "Up", "2009", *arguments).out)["traits"][0]["violated"]

    assert verdict("0.1")
    assert not verdict("0.11")


def test_a_title_that_is_not_known_says_so_with_near_misses(main, built):
    other_year = main("oracle", "check", "Saw", "1990")
    assert other_year.status == 0
    assert "Saw (1990) is not known to the oracle." in other_year.out
    assert "Known are: Saw (2003); Saw (2004)" in other_year.out

    misspelled = main("oracle", "check", "Trainspoting", "1996")
    assert "Known are: Trainspotting (1996)" in misspelled.out
    brackets = main("oracle", "check", "The [REC] Tape", "2007")
    assert "The [REC] Tapes (2007)" in brackets.out
    assert "Known are" not in main("oracle", "check", "Completely Different", "1996").out


def test_an_unknown_trait_is_an_error_with_near_misses(main, built):
    outcome = main("oracle", "check", "Saw", "2004", "--trait", "Anti-gore / squeemish")

    assert (outcome.status, outcome.out) == (2, "")
    assert f"unknown trait 'Anti-gore / squeemish'. Did you mean '{GORE}'?" in outcome.err


def test_check_reads_a_table_as_well(main, tmp_path):
    (tmp_path / "oracle.jsonl").write_text(
        json.dumps({"title": "Saw", "year": 2004, "risk": {GORE: 0.9}}) + "\n", encoding="utf-8"
    )
    arguments = ("--oracle-path", "oracle.jsonl")

    outcome = main("oracle", "check", "Saw", "2004", *arguments)
    assert "oracle.jsonl (0.90): risk stated in the table" in outcome.out
    assert "Known are: Saw (2004)" in main("oracle", "check", "Saw", "1980", *arguments).out


def test_check_finds_what_has_no_year_by_its_name_alone(main, tmp_path):
    (tmp_path / "games.jsonl").write_text(
        json.dumps({"title": "Doom", "year": None, "risk": {GORE: 0.9}}) + "\n", encoding="utf-8"
    )

    outcome = main("oracle", "check", "Doom", "--oracle-path", "games.jsonl")
    assert outcome.status == 0
    assert outcome.out.startswith("Doom; a risk of")
    assert "games.jsonl (0.90): risk stated in the table" in outcome.out
    assert "None" not in outcome.out
    assert "Known are: Doom" in main("oracle", "check", "Dom", "--oracle-path", "games.jsonl").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--oracle-path", "nowhere.arrow"], "nowhere.arrow does not exist"),
        (["--oracle-path", "reasons.arrow"], "reasons.arrow is not an oracle file"),
        (["--risk-threshold", "2"], "--risk-threshold"),
    ],
)
def test_a_check_that_cannot_be_made_tells_why(main, built, files, arguments, message):
    (files / "reasons.arrow").write_text(REASONS, encoding="utf-8")
    outcome = main("oracle", "check", "Saw", "2004", *arguments)

    assert (outcome.status, outcome.out) == (2, "")
    assert message in outcome.err


# --- card --------------------------------------------------------------------------------------


@pytest.fixture
def catalog(files):
    titles = [("Saw", 2004), ("Up", 2009), ("UP!", 2009), ("Nobody's Film", 1999)]
    rows = (json.dumps({"title": name, "year": year}) + "\n" for name, year in titles)
    (files / "catalog.jsonl").write_text("".join(rows), encoding="utf-8")
    return files / "catalog.jsonl"


def test_the_card_tells_coverage_blocked_shares_collisions_and_disagreement(main, built, catalog):
    outcome = main("oracle", "card", "--catalog-path", catalog)

    assert outcome.status == 0
    assert "Of 4 titles of the catalog 3 (75.0%) have an entry" in outcome.out
    [gore] = [line for line in outcome.out.splitlines() if GORE in line and "25.0%" in line]
    assert gore.removeprefix(GORE).split() == ["75.0%", "0.0%", "25.0%", "25.0%", "25.0%"]
    assert "Collisions in the catalog: 1 titles stand there twice" in outcome.out
    assert "Up and UP! (2009)" in outcome.out
    assert "rating-reasons and scores" in outcome.out
    assert "means nothing" in outcome.out  # nothing is known to be safe for some traits


def test_the_card_is_there_as_json_and_without_a_catalog(main, built, catalog):
    card = json.loads(main("oracle", "card", "--catalog-path", catalog, "--json").out)
    assert (card["titles"], card["with_entry"], card["of_catalog"]) == (4, 3, True)
    [gore] = [trait for trait in card["traits"] if trait["trait"] == GORE]
    assert gore["blocked"] == {"0.5": 1, "0.66": 1, "0.8": 1}
    [together] = [entry for entry in card["disagreements"] if entry["trait"] is None]
    assert (together["sources"], together["apart"], together["share"]) == (["rating-reasons", "scores"], 0, 0)

    own = main("oracle", "card")
    assert own.status == 0
    assert "Share of the oracle's titles" in own.out
    assert json.loads(main("oracle", "card", "--json").out)["titles"] == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--catalog-path", "nowhere.jsonl"], "catalog nowhere.jsonl does not exist"),
        (["--oracle-path", "reasons.csv"], "reasons.csv is not an oracle file"),
    ],
)
def test_a_card_that_cannot_be_made_tells_why(main, built, arguments, message):
    outcome = main("oracle", "card", *arguments)

    assert (outcome.status, outcome.out) == (2, "")
    assert message in outcome.err


# --- in general --------------------------------------------------------------------------------


def test_help_needs_neither_arrow_nor_torch(saferec):
    probe = (
        "import sys; from saferec_cli.commands import app_for\n"
        "arguments = ['oracle', 'build', '--help']\n"
        "try: app_for(arguments)(arguments)\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'pyarrow', 'numpy'} & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == "[]"
    assert saferec("oracle", "--help").status == 0


def test_a_write_that_fails_leaves_the_old_oracle(built):
    """The file system allows no file of more than a few bytes."""
    before = built.read_bytes()
    done = subprocess.run(
        [sys.executable, "-m", "saferec_cli", *BUILD, "--overwrite"],
        capture_output=True,
        text=True,
        check=False,
        cwd=built.parent,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
    )

    assert done.returncode == 2
    assert "oracle.arrow cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert built.read_bytes() == before
    assert not list(built.parent.glob(".*"))


# --- examples and popularity ---------------------------------------------------------------------


@pytest.fixture
def popularity(files):
    (files / "votes.csv").write_text(
        "title;year;votes\nSaw;2004;30\nUp;2009;60\nNobody's Film;1999;10\n", encoding="utf-8"
    )
    return files / "votes.csv"


def test_the_card_lists_the_most_popular_titles_that_a_trait_blocks_passes_and_leaves_unknown(
    main, built, catalog, popularity
):
    arguments = ("--catalog-path", catalog, "--popularity-path", popularity)
    outcome = main("oracle", "card", *arguments, "--examples", GORE)

    assert outcome.status == 0
    blocked, passed, unknown = (
        outcome.out.split(f"{GORE}: {kind}")[1] for kind in ("blocked", "passed", "unknown")
    )
    assert "Saw (2004)" in blocked.split(f"{GORE}: passed")[0]
    assert '"grisly" in "strong' in blocked
    assert "Up (2009)" in passed.split(f"{GORE}: unknown")[0]
    assert "Nobody's Film (1999)" in unknown.split("Collisions")[0]


def test_examples_of_all_traits_go_by_popularity_and_coverage_is_weighted_by_it(
    main, built, catalog, popularity
):
    arguments = ("--catalog-path", catalog, "--popularity-path", popularity, "--examples", "all", "--json")
    card = json.loads(main("oracle", "card", *arguments).out)

    assert len(card["examples"]) == 20
    [gore] = [trait for trait in card["traits"] if trait["trait"] == GORE]
    # Saw, Up and UP! are known: 30 + 60 + 60 of 160.
    assert gore["popular_known"] == pytest.approx(150 / 160)
    [examples] = [entry for entry in card["examples"] if entry["trait"] == GORE]
    assert [entry["title"] for entry in examples["passed"]] == ["Up (2009)", "UP! (2009)"]


def test_an_unknown_trait_and_a_file_without_counts_are_told(main, built, catalog, files):
    unknown = main("oracle", "card", "--examples", "Anti-gore / squeemish")
    assert (unknown.status, unknown.out) == (2, "")
    assert f"Did you mean '{GORE}'?" in unknown.err

    (files / "bad.csv").write_text("title,year,votes\nSaw,2004,many\n", encoding="utf-8")
    bad = main("oracle", "card", "--popularity-path", "bad.csv")
    assert bad.status == 2
    assert "bad.csv, line 2: 'votes' must be a number of at least 0, but is 'many'" in bad.err


@pytest.mark.parametrize("body", ["raise SystemExit(0)", "return 5"], ids=["ends the process", "no text"])
def test_a_source_that_cannot_say_what_reading_has_cost_has_been_read_all_the_same(main, files, body):
    (files / "mine.py").write_text(
        "from pathlib import Path\n"
        "from saferec_core.data.titles import Title\n"
        "from saferec_core.plugins.component import component\n"
        "from saferec_core.plugins.contracts.evidence import EvidenceSource, Finding, Findings\n\n"
        "@component\nclass MineEvidence(EvidenceSource):\n"
        '    """Finds the first trait in everything."""\n    path: Path\n'
        "    def __call__(self, rows, traits):\n"
        "        for row in rows:\n"
        "            finding = Finding(next(iter(traits)), 1.0, 'seen')\n"
        "            yield Findings(Title(row['title'], int(row['year'])), (finding,))\n"
        f"    def account(self):\n        {body}\n",
        encoding="utf-8",
    )
    outcome = main(
        *("--plugin", "mine.py", "oracle", "build", "--source", "mine=scores.csv", "--out", "oracle.arrow")
    )

    assert outcome.status == 0, outcome
    assert "3 titles: oracle.arrow" in outcome.out
    assert "evidence 'mine' of" in outcome.err
    assert "failed to say what reading has cost" in outcome.err
