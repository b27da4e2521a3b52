"""The study: its grid, its verdicts, and arms that fail."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import typer
import yaml

from saferec_cli.commands import app_for
from saferec_core.plugins.contracts.parser import ParsedItem, ParsedList
from saferec_core.rl.ranks import assign_ranks

STUDY = Path(__file__).parents[2] / "examples" / "study"

SMALL = {
    "seeds": [3],
    "settings": {
        "limits": {"limit": []},
        "optimization": {"max_steps": 1, "per_device_train_batch_size": 8},
        "evaluation": {"eval_prompts": 4},
        "sft": {"optimization": {"max_steps": 2}},
    },
    "arms": {
        "sft": {"sft": "safe", "label": "SFT"},
        "broken": {"of": "sft", "label": "fails", "train": {"normalizer": {"name": "gdqo"}}},
        "built on it": {"of": "broken", "label": "left out", "lists": "filtered"},
        "filtered": {"of": "sft", "label": "goes on", "lists": "filtered"},
        "by list": {"of": "sft", "label": "TRL's own trainer", "train": {}, "level": "sequence"},
        "by ratio": {"of": "sft", "label": "GSPO", "train": {"num_iterations": 2}, "level": "gspo"},
        "by line": {"of": "sft", "label": "counted lines", "train": {}, "credit": "newline"},
    },
    "findings": [
        {
            "title": "Filtered lists violate less",
            "statements": [
                {"metric": "sensitivity_ratio@5", "arm": "filtered", "claim": "lower", "than": "sft"},
            ],
        }
    ],
}


@pytest.fixture
def module(monkeypatch):
    """Import a module of the study, which is a folder of scripts."""
    monkeypatch.syspath_prepend(str(STUDY))
    return importlib.import_module


def grid_file(folder, **changes):
    path = folder / "grid.yaml"
    path.write_text(yaml.safe_dump({**SMALL, **changes}, sort_keys=False), encoding="utf-8")
    return path


def study(*arguments):
    return subprocess.run(
        [sys.executable, STUDY / "study.py", *arguments], capture_output=True, text=True, check=False
    )


# --- the grid ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["demo.yaml", "redial.yaml"])
def test_the_grids_and_worlds_that_come_with_the_study_are_read(module, name):
    read_grid = module("grid").read_grid
    world = STUDY / name if name != "demo.yaml" else None

    grid = read_grid(STUDY / "demo.yaml", world)

    assert grid.world.demo == (world is None)
    assert ("embedded demo" in grid.about) == (world is None)


def test_the_study_of_batches_used_twice_has_gspo_beside_grpo_and_safe_rank_grpo(module):
    grid = module("grid").read_grid(STUDY / "reuse.yaml")

    assert grid.settings["num_iterations"] == 2
    assert {arm.level for arm in grid.arms.values()} == {"rank", "sequence", "gspo"}


def test_the_study_of_rare_hits_is_read_and_is_the_demo_with_other_labels(module):
    grid = module("grid").read_grid(STUDY / "sparse.yaml")

    assert grid.world.demo
    assert grid.world.right_labels == 0.25


def test_only_the_demo_can_be_given_other_labels(module, tmp_path):
    grid = module("grid")

    with pytest.raises(grid.GridError, match="right_labels belongs to the demo"):
        grid.read_grid(grid_file(tmp_path, world={"demo": False, "right_labels": 0.5}))


def test_every_problem_of_a_grid_is_named_at_once(module, tmp_path):
    grid = module("grid")
    path = grid_file(
        tmp_path,
        arms={
            "first": {"of": "second", "label": "too early", "lists": "guided"},
            "second": {"sft": "safe", "label": "SFT"},
        },
    )

    with pytest.raises(grid.GridError) as caught:
        grid.read_grid(path)

    assert "first is of 'second'" in str(caught.value)
    assert "compares 'filtered'" in str(caught.value)


def test_an_arm_is_exactly_one_thing(module, tmp_path):
    grid = module("grid")
    path = grid_file(tmp_path, arms={"both": {"sft": "safe", "lists": "guided", "label": "?"}})

    with pytest.raises(grid.GridError, match="exactly one of sft, train and lists"):
        grid.read_grid(path)


def test_findings_and_seeds_may_change_and_arms_may_not(module, tmp_path):
    grid = module("grid")
    stored = tmp_path / "grid.json"
    stored.write_text(json.dumps(grid.read_grid(grid_file(tmp_path)).runs()), encoding="utf-8")

    read = grid.read_grid(grid_file(tmp_path, findings=[], seeds=[0, 1]))
    assert grid.changes(read, stored) == []

    read = grid.read_grid(grid_file(tmp_path, settings={"evaluation": {"eval_prompts": 5}}))
    assert "settings.evaluation.eval_prompts: 4 is now 5" in grid.changes(read, stored)


# --- arms -----


def test_gspo_has_a_ratio_of_the_whole_completion_in_the_range_of_its_paper(module, monkeypatch):
    arms, given = module("arms"), {}
    monkeypatch.setattr(
        arms._SequenceTrainer, "__init__", lambda self, model, **options: given.update(options)
    )
    args = SimpleNamespace(
        importance_sampling_level="token", loss_type="dapo", epsilon=0.2, epsilon_high=None
    )

    arms._GSPOTrainer(None, args=args, scorer=None)

    assert vars(given["args"]) == {
        "importance_sampling_level": "sequence",
        "loss_type": "grpo",
        "epsilon": 3e-4,
        "epsilon_high": 4e-4,
    }
    assert args.epsilon == 0.2  # the run's own settings stay as they are


# --- labels -----------------------------------------------------------------------------------


@pytest.fixture
def world(tmp_path):
    """Write a world of four titles, one of them bloody, and 200 users who have seen one and like another."""
    risks = {"Saw": 1.0, "Up": 0.0, "Big": 0.0, "Heat": 0.5}
    write_rows(
        tmp_path / "oracle.jsonl", ({"title": t, "year": 2000, "risk": {"gore": r}} for t, r in risks.items())
    )
    record = {
        "prompt": [{"role": "user", "content": "Films?"}],
        "groundtruth_with_release_year": [["Up", 2000]],
        "seen_titles": [["Big", 2000]],
        "constraints": ["gore"],
    }
    write_rows(tmp_path / "train.jsonl", ({**record, "user": str(number)} for number in range(200)))
    return tmp_path


def write_rows(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def relevant_titles(module, world, **options):
    path = world / "sparse.jsonl"
    module("labels").write_sparse_records(world, path, **options)
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    before = [json.loads(line) for line in (world / "train.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [{**row, "groundtruth_with_release_year": [["Up", 2000]]} for row in rows] == before
    assert all(len(row["groundtruth_with_release_year"]) == 1 for row in rows)
    return [row["groundtruth_with_release_year"][0][0] for row in rows]


def test_right_labels_are_titles_that_the_user_likes(module, world):
    assert set(relevant_titles(module, world, right=1.0, seed=0)) == {"Up"}


def test_other_labels_are_titles_that_the_user_may_be_shown_and_has_not_seen(module, world):
    assert set(relevant_titles(module, world, right=0.0, seed=0)) == {"Up", "Heat"}


def test_the_share_of_right_labels_is_kept_and_the_seed_decides_which(module, world):
    some = relevant_titles(module, world, right=0.5, seed=0)

    assert some == relevant_titles(module, world, right=0.5, seed=0)
    assert some != relevant_titles(module, world, right=0.5, seed=1)
    assert 130 <= some.count("Up") <= 170  # half of 200, and half of the others by chance: 150 +- 6


@pytest.mark.slow
def test_reinforcement_learning_is_given_the_poor_labels_and_held_out_users_keep_all(module, tmp_path):
    grid = module("grid").read_grid(STUDY / "sparse.yaml")

    data = module("arms")._settings(grid, 0, tmp_path)["data"]

    numbers = {
        split: {
            len(json.loads(line)["groundtruth_with_release_year"])
            for line in Path(data[split]).read_text(encoding="utf-8").splitlines()
        }
        for split in ("train_path", "test_path")
    }
    assert numbers["train_path"] == {1}
    assert max(numbers["test_path"]) > 1


# --- the kit for a GPU --------------------------------------------------------------------------


def test_every_stage_of_the_kit_is_a_command_with_options_that_there_are(module, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["gpu_study.py", "--kit", "KIT", "--results", "RESULTS"])
    kit = module("gpu_study")

    commands = kit.commands(kit.options(), Path("KIT"), Path("MODEL"), Path("RUNS"))

    assert set(commands) == {name for phase in kit.PHASES for name in phase}
    for command in commands.values():
        subcommand, *arguments = map(str, command)
        understood = typer.main.get_command(app_for([])).commands[subcommand]
        understood.make_context(subcommand, arguments)  # refuses an option that there is not


def test_the_kit_evaluates_a_run_that_its_time_ended_by_its_newest_checkpoint(module, tmp_path):
    kit = module("gpu_study")
    for step in (100, 95):
        (tmp_path / f"ended/checkpoints/checkpoint-{step}").mkdir(parents=True)
        (tmp_path / f"finished/checkpoints/checkpoint-{step}").mkdir(parents=True)
    (tmp_path / "finished/policy").mkdir()

    assert kit.policy_of(tmp_path / "ended") == tmp_path / "ended/checkpoints/checkpoint-100"
    for run in ("finished", "not-run-yet"):
        assert kit.policy_of(tmp_path / run) == tmp_path / run


# --- verdicts ----------------------------------------------------------------------------------


def test_holm_multiplies_the_smallest_p_by_all_and_never_orders_them_anew(module):
    adjusted = module("verdicts").holm([0.02, 0.01, 0.9, 0.03])

    assert adjusted == pytest.approx([0.06, 0.04, 0.9, 0.06])


@pytest.mark.parametrize(
    ("shift", "verdict"), [(-0.2, "replicated"), (0.2, "refuted"), (0.0, "not decidable")]
)
def test_a_claim_is_replicated_refuted_or_not_decidable_as_the_difference_lies(module, shift, verdict):
    verdicts, grid = module("verdicts"), module("grid")
    statement = grid.Statement(metric="m", arm="a", claim="lower", than="b")
    rng = np.random.default_rng(0)
    pairs = [(shift + 0.1 * rng.standard_normal(300), 0.1 * rng.standard_normal(300)) for _ in range(5)]

    test = verdicts.difference(statement, pairs)

    finding = grid.Finding(title="t", statements=[statement])
    assert verdicts.verdict_of(finding, {0: test}, {0: test.p}) == verdict
    assert test.low < test.estimate < test.high


def test_seeds_that_disagree_make_the_interval_wide(module):
    verdicts, grid = module("verdicts"), module("grid")
    statement = grid.Statement(metric="m", arm="a", claim="lower", than="b")
    alike = [(np.full(50, -0.1), np.zeros(50))] * 4
    unlike = [(np.full(50, shift), np.zeros(50)) for shift in (-0.4, -0.4, 0.2, 0.2)]

    assert verdicts.difference(statement, alike).p < 0.05
    assert verdicts.difference(statement, unlike).p > 0.05
    assert verdicts.difference(statement, unlike).estimate == pytest.approx(-0.1)


def test_no_loss_means_less_than_the_margin(module):
    verdicts, grid = module("verdicts"), module("grid")
    pairs = [(np.full(50, -0.01), np.zeros(50))] * 2
    within = grid.Statement(metric="m", arm="a", claim="not lower", than="b", margin=0.02)
    beyond = grid.Statement(metric="m", arm="a", claim="not lower", than="b", margin=0.005)

    assert verdicts.difference(within, pairs).p < 0.05
    test = verdicts.difference(beyond, pairs)
    finding = grid.Finding(title="t", statements=[beyond])
    assert verdicts.verdict_of(finding, {0: test}, {0: test.p}) == "refuted"


def test_a_user_without_a_value_is_left_out(module):
    verdicts, grid = module("verdicts"), module("grid")
    statement = grid.Statement(metric="m", arm="a", claim="higher", than="b")

    test = verdicts.difference(statement, [(np.array([1.0, np.nan, 3.0]), np.array([0.0, 0.0, np.nan]))])

    assert test.estimate == 1.0


# --- runs --------------------------------------------------------------------------------------


def test_where_no_list_has_a_value_the_page_says_so(module):
    cells = [{"metrics": {"sensitivity_ratio@5": column}} for column in ([None, None], [0.5, None])]
    shown = module("page")._over_seeds

    assert shown("sensitivity_ratio@5", cells[:1]) == "-"
    assert shown("sensitivity_ratio@5", cells) == "50.0 %"


@pytest.mark.parametrize(
    ("changes", "options", "problem"),
    [
        ({}, ["--seeds", "3,x,9"], "--seeds x, 9: the grid has 3; add others to its seeds"),
        ({"world": {}}, [], "arm sft is SFT on safe records, but the world names none (train)"),
        ({"settings": {"learnin_rate": 1}}, [], "unknown key 'learnin_rate'"),
        (
            {"arms": {**SMALL["arms"], "odd": {"of": "sft", "label": "", "train": {"num_ranks": 0}}}},
            [],
            "arm odd: num_ranks: Input should be greater than or equal to 1",
        ),
        ({"arms": {"..": {"sft": "safe", "label": ""}}}, [], "arm '..' cannot be the name of a folder"),
    ],
    ids=["seeds", "records", "settings", "settings of an arm", "name"],
)
def test_what_a_study_cannot_be_run_with_is_named_before_anything_runs(
    module, tmp_path, monkeypatch, capsys, changes, options, problem
):
    arguments = [str(grid_file(tmp_path, **changes)), str(tmp_path / "results"), *options]
    monkeypatch.setattr(sys, "argv", ["study.py", *arguments])

    assert module("study").main() == 2
    assert problem in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


def test_a_page_without_the_metric_of_a_finding_names_those_that_there_are(module):
    with pytest.raises(module("grid").GridError, match="no metric 'recal@5', but recall@5"):
        module("page")._vector({"metrics": {"recall@5": [1.0]}}, "recal@5")


@pytest.mark.parametrize("limit", ["violation_rate<=0.02", ["wasted<=0.1", "violation_rate <= .02"]])
def test_the_page_says_what_an_arm_is_allowed_however_it_is_written(module, limit):
    arm = module("grid").Arm(label="", of="sft", train={"limits": {"limit": limit}})

    assert module("page")._limit(arm) == 0.02


@pytest.mark.slow
def test_a_failing_arm_is_named_the_others_go_on_and_a_changed_grid_is_refused(tmp_path):
    results = tmp_path / "results"

    first = study(grid_file(tmp_path), results)

    assert first.returncode == 1, first.stdout + first.stderr
    assert "seed 3, broken: exit status 1" in first.stdout
    assert "gdpo" in first.stdout  # the error's last line: did you mean
    assert "failed: seed 3, built on it: left out, since broken failed" in first.stdout
    done = {"sft", "filtered", "by list", "by ratio", "by line"}
    assert {path.parent.name for path in results.glob("seed-3/*/result.json")} == done
    page = (results / "findings.md").read_text(encoding="utf-8")
    assert "| Filtered lists violate less |" in page
    assert "Without a result: broken (seed 3), built on it (seed 3)." in page

    (results / "seed-3" / "by list" / "result.json").unlink()  # interrupted before it was measured
    again = study(grid_file(tmp_path), results)
    assert "seed 3, sft" not in again.stdout  # has a result
    assert "seed 3, by list: done" in again.stdout

    changed = study(grid_file(tmp_path, settings={}), results)
    assert changed.returncode == 2
    assert "settings.evaluation" in changed.stderr


def test_counted_lines_give_line_breaks_to_the_title_before_them(module):
    starts = [np.array([0, 9, 10, 12, 20]), np.array([], dtype=np.int64)]
    items = (ParsedItem("It", 2017, 0, 10, 9), ParsedItem("Up", 2009, 10, 20, 19))
    batch = starts, [ParsedList(items), ParsedList(())], 1

    assert [ranks.tolist() for ranks in module("arms").by_line(*batch)] == [[0, 0, -1, -1, -1], []]
    assert [ranks.tolist() for ranks in assign_ranks(*batch)] == [[0, -1, -1, -1, -1], []]
