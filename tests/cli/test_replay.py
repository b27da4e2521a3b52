"""``saferec replay`` as a user types it, with advantages worked out by hand."""

from __future__ import annotations

import json
import math

import pytest
import yaml

FILMS = [("Saw", 2004), ("Up", 2009), ("Heat", 1995)]


def row(text, **more):
    """A completion to a user who may not see gore and would love Up."""
    return {
        "prompt": "Something?",
        "completion": text,
        "groundtruth_with_release_year": [["Up", 2009]],
        "constraints": ["gore"],
        **more,
    }


@pytest.fixture
def named(tmp_path):
    """Files of a small world, by flag."""
    catalog = "".join(json.dumps({"title": name, "year": year}) + "\n" for name, year in FILMS)
    (tmp_path / "catalog.jsonl").write_text(catalog, encoding="utf-8")
    oracle = [{"title": name, "year": year, "risk": {"gore": float(name == "Saw")}} for name, year in FILMS]
    (tmp_path / "oracle.jsonl").write_text(
        "".join(json.dumps(each) + "\n" for each in oracle), encoding="utf-8"
    )
    return ("--catalog-path", tmp_path / "catalog.jsonl", "--oracle-path", tmp_path / "oracle.jsonl")


def jsonl(path, rows):
    path.write_text("".join(json.dumps(each) + "\n" for each in rows), encoding="utf-8")
    return path


@pytest.fixture
def two(tmp_path):
    """A hit and a violation, the completions of one prompt."""
    return jsonl(tmp_path / "others.jsonl", [row("Up (2009)"), row("Saw (2004)")])


def replayed(main, *arguments):
    outcome = main("replay", *arguments, "--json")
    assert outcome.status == 0, outcome
    return json.loads(outcome.out)


def test_completions_of_another_tool_are_credited_by_the_rewards_named(main, two, named):
    both = replayed(main, two, *named, "--reward", "relevance", "--reward", "safety")
    # Rewards at rank 1: 1 + 0 and 0 - 1. Two values lie 1/sqrt(2) of their deviation from their mean.
    [first] = both["advantage_by_rank"]
    assert first["hit"]["replay"] == pytest.approx(1 / math.sqrt(2), abs=1e-3)
    assert first["violation"]["replay"] == pytest.approx(-1 / math.sqrt(2), abs=1e-3)
    assert first["wasted"]["replay"] is None
    assert first["hit"]["run"] is None
    assert both["rank_correlation"] is None
    assert any("hold no advantages" in note for note in both["notes"])


def test_each_rank_is_compared_with_the_same_rank_of_the_siblings(main, tmp_path, named):
    # Lists of a hit behind a violation, and of nothing: rank 1 is violated, rank 2 is hit.
    rows = jsonl(tmp_path / "rows.jsonl", [row("Saw (2004)\nUp (2009)"), row("Heat (1995)\nHeat (1995)")])
    result = replayed(main, rows, *named, "--reward", "relevance")

    first, second = result["advantage_by_rank"]
    assert first["violation"]["replay"] == 0.0  # by relevance alone both miss at rank 1
    assert second["hit"]["replay"] == pytest.approx(1 / math.sqrt(2), abs=1e-3)


@pytest.fixture
def run(tmp_path, named):
    """A run folder whose stored advantages favor the violation."""
    folder = tmp_path / "run"
    folder.mkdir()
    stored = {"step": 1, "record": 0, "seen": [False], "events": [], "list_advantage": 0.0}
    rows = [
        row("Up (2009)", titles=[["Up", 2009]], advantage=[-0.5, 0.0], **stored),
        row("Saw (2004)", titles=[["Saw", 2004]], advantage=[0.5, 0.0], **stored),
    ]
    jsonl(folder / "rollouts.jsonl", rows)
    settings = {
        "data": {"catalog_path": str(named[1])},
        "oracle": {"name": "table", "path": str(named[3])},
        "rewards": {"relevance": {}},
        "num_ranks": 2,
        "evaluation": {"eval_at": [2]},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return folder


def test_a_run_is_compared_with_what_it_had_credited(main, run):
    result = replayed(main, run)

    assert result["rank_correlation"] == pytest.approx(-1.0)
    assert result["ranks_with_another_sign"] == 1.0
    names = [change["name"] for change in result["completions_with_another_sign"]]
    assert names == ["step 1, record 0, completion 1", "step 1, record 0, completion 2"]
    first = result["advantage_by_rank"][0]
    assert first["violation"]["run"] == 0.5
    assert first["violation"]["replay"] == pytest.approx(-1 / math.sqrt(2), abs=1e-3)


BLIND = """
from saferec_core.plugins.component import component
from saferec_core.plugins.contracts.parser import ListParser, ParsedList


@component
class BlindParser(ListParser):
    '''Reads nothing.'''

    def __call__(self, text, *, finished=True):
        return ParsedList(())

    def format(self, titles):
        return ""
"""


def test_lists_of_which_nothing_can_be_read_have_no_rank_to_compare(main, run, tmp_path):
    (tmp_path / "blind.py").write_text(BLIND, encoding="utf-8")

    done = main("--plugin", tmp_path / "blind.py", "replay", run, "--set", "data.parser.name=blind", "--json")

    assert done.status == 0, done.err
    assert json.loads(done.out)["rank_correlation"] is None


def test_shares_name_the_reward_that_supplies_the_variance(main, run):
    shares = replayed(main, run, "--reward", "relevance", "--reward", "safety")["share_of_variance"]

    # Both rewards order the two completions alike, so that each alone gives what both give.
    assert {name: each["replay"] for name, each in shares.items()} == {
        "relevance": pytest.approx(1.0),
        "safety": pytest.approx(1.0),
    }
    assert shares["relevance"]["run"] == pytest.approx(1.0)
    assert shares["safety"]["run"] is None  # the run had no such reward
    assert "- → 100%" in main("replay", run, "--reward", "relevance", "--reward", "safety").out


def changed(run, **settings):
    """Change the configuration that a run was made with."""
    file = run / "config.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | settings), encoding="utf-8")


def test_a_run_from_another_machine_is_replayed_with_the_files_that_are_named(main, run, named):
    changed(run, data={"catalog_path": "/gone/c.jsonl"}, oracle={"name": "table", "path": "/gone/o.jsonl"})

    result = replayed(main, run, *named, "--reward", "safety")

    assert result["share_of_variance"]["relevance"] == {"run": pytest.approx(1.0), "replay": None}
    assert any("catalog or oracle cannot be read here" in note for note in result["notes"])


def test_a_run_with_a_reward_that_is_not_installed_is_replayed_by_another_configuration(main, run, tmp_path):
    other = tmp_path / "other.yaml"
    other.write_bytes((run / "config.yaml").read_bytes())
    changed(run, rewards={"novelty": {}})

    outcome = main("replay", run, "--config", other)

    assert outcome.status == 0, outcome
    assert "left out: unknown reward 'novelty'" in outcome.out
    assert "(Spearman)" in outcome.out


def test_the_tables_fit_80_columns_and_say_what_changed(main, run):
    outcome = main("replay", run, "--normalizer", "gdpo", columns=80)

    assert outcome.status == 0, outcome
    assert max(map(len, outcome.out.splitlines())) <= 80
    for shown in ("2 completions, 2 per prompt", "normalizer gdpo", "+0.50 → -", "(Spearman)", "-1.000"):
        assert shown in outcome.out
    assert "step 1, record 0, completion 1: -0.50 → +" in outcome.out


@pytest.mark.parametrize("ending", ["svg", "png"])
def test_a_replay_is_drawn_and_an_existing_file_is_kept(main, run, tmp_path, ending):
    out = tmp_path / f"replay.{ending}"

    outcome = main("replay", run, "--draw", out)

    assert outcome.status == 0, outcome
    drawn = out.read_bytes()
    assert drawn.startswith({"svg": b"<svg", "png": b"\x89PNG"}[ending])
    again = main("replay", run, "--draw", out)
    assert again.status == 2
    assert "exists already; name another file, or give --overwrite" in again.err
    assert out.read_bytes() == drawn
    assert main("replay", run, "--draw", out, "--overwrite").status == 0


def test_everything_that_is_wrong_is_one_message_without_torch(main, tmp_path, two):
    outcome = main("replay", two, "--reward", "relevnce", "--normalizer", "gdp", "--draw", "a.pdf")

    assert outcome.status == 2
    for problem in (
        "Did you mean 'relevance'",
        "Did you mean 'gdpo'",
        "--catalog-path is missing",
        "--draw a.pdf: name a file that ends with .svg or .png",
    ):
        assert problem in outcome.err


def test_a_column_that_a_reward_needs_is_named_with_the_line(main, tmp_path, named):
    rows = jsonl(tmp_path / "rows.jsonl", [{"prompt": "Something?", "completions": ["Up (2009)", ""]}])

    outcome = main("replay", rows, *named, "--reward", "relevance")

    assert outcome.status == 2
    assert (
        "rows.jsonl, line 1: column 'groundtruth_with_release_year' is missing; reward 'relevance'"
        in outcome.err
    )


def test_a_constraint_that_the_oracle_cannot_judge_is_refused(main, tmp_path, named):
    rows = jsonl(tmp_path / "rows.jsonl", [row("Up (2009)", constraints=["goer"])] * 2)

    outcome = main("replay", rows, *named, "--reward", "safety")

    assert outcome.status == 2
    assert "unknown trait 'goer'. Did you mean 'gore'" in outcome.err
