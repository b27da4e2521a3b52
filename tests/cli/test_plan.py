"""``saferec plan`` and ``--dry-run``: what a run would do, and where each setting comes from."""

import json

import pytest


@pytest.fixture
def plan(main, outline):
    def run(*arguments):
        outcome = main("plan", outline / "run.yaml", *arguments, "--json")
        assert outcome.status == 0, outcome
        return json.loads(outcome.out)

    return run


def test_every_setting_has_its_value_and_where_it_came_from(plan, outline):
    settings = plan("--lr", "1e-4", "--set", "kl_beta=0.5", "--reward", "relevance")["settings"]

    def at(path):
        return settings[path]["value"], settings[path]["origin"]

    assert at("optimization.learning_rate") == (1e-4, "--lr")
    assert at("kl_beta") == (0.5, "--set kl_beta")
    assert at("num_ranks") == (5, str(outline / "run.yaml"))
    assert at("epsilon") == (0.2, "default")
    assert at("rewards.relevance.weight") == (1.0, "--reward")
    assert at("rewards.safety.weight") == (0.0, "--reward")


def test_a_narrow_terminal_breaks_no_name_of_a_setting_and_parts_left_out_are_defaults(main, outline):
    outcome = main("plan", outline / "run.yaml", "--preset", "safe-rank-grpo", columns=80)

    assert "  per_device_train_batch_size  " in outcome.out
    assert "  gradient_accumulation_steps  " in outcome.out
    assert "weight" in outcome.out
    assert "calls" not in outcome.out  # of a reward that the file names without options
    assert max(map(len, outcome.out.splitlines()[:40])) <= 80


def test_the_last_source_of_a_setting_is_the_one_that_is_named(plan):
    settings = plan("--seed", "1", "--set", "seed=2")["settings"]

    assert settings["seed"] == {"value": 2, "origin": "--set seed"}


def test_a_setting_on_the_command_line_is_shown_without_its_key_which_the_row_names(main, outline):
    shown = main("plan", outline / "run.yaml", "--set", "optimization.max_steps=3", columns=80).out

    assert any(line.split() == ["max_steps", "3", "--set"] for line in shown.splitlines())


def test_the_demo_is_named_as_the_source_of_its_settings(main, tmp_path):
    plan = json.loads(main("plan", "--json", "--num-ranks", 6).out)

    assert plan["settings"]["rollout.num_generations"]["origin"] == "demo"
    assert plan["settings"]["num_ranks"]["origin"] == "--num-ranks"
    assert list(tmp_path.iterdir()) == []  # nothing is made


def test_batches_are_counted_from_the_file_and_the_settings(plan):
    # 8 completions a generation batch are 2 groups of 4; 3 steps of 8 are 24 completions of 6 prompts.
    batches = plan("--max-steps", 3)["batches"]

    assert batches["training prompts"] == 32
    assert batches["completions per generation batch"] == 8
    assert batches["prompts per generation batch"] == 2
    assert batches["completions in all"] == 24
    assert batches["completion tokens in all, at most"] == 24 * 16
    assert batches["passes over the training prompts"] == 0.19  # 6 / 32


def test_steps_follow_from_epochs_where_they_are_not_given(plan):
    # 32 prompts x 4 completions = 128 an epoch, 8 a step.
    assert plan("--max-steps", -1)["batches"]["optimizer steps"] == 16


def test_settings_without_effect_are_named_in_the_plan_with_the_setting_that_switches_them_off(
    main, outline, plan
):
    changes = ("--lora-r", "64", "--set", "epsilon=0.4", "--gradient-accumulation-steps", 1)

    assert plan()["without effect"] == []
    named = plan(*changes)["without effect"]
    assert named[0] == "model.lora_r has no effect, since use_lora is not set"
    assert named[1].startswith("epsilon has no effect")
    printed = main("plan", outline / "run.yaml", *changes).out
    assert all(sentence in printed for sentence in named)


def test_a_dry_run_of_sft_counts_samples(main, outline):
    outcome = main(
        *("sft", "--dry-run", "--json", "--model", outline, "--train-path", outline / "train.jsonl"),
        *("--num-train-epochs", 2, "--max-length", 64),
    )
    batches = json.loads(outcome.out)["batches"]

    assert batches["training samples"] == 32
    assert batches["samples per optimizer step"] == 96  # 12 x 8
    assert batches["optimizer steps"] == 2


def test_a_plan_that_cannot_be_carried_out_names_its_problems_and_ends_with_2(main, outline):
    outcome = main("plan", outline / "run.yaml", "--num-generations", 6)

    assert outcome.status == 2
    assert "Cannot start: 1 problem\n" in outcome.out
    assert "Nearest valid settings: gradient_accumulation_steps 3" in outcome.out
    assert "--num-generations" in outcome.out  # as an origin


def test_a_plan_says_when_it_is_ready_and_starts_nothing(main, outline, tmp_path):
    outcome = main("train", outline / "run.yaml", "--dry-run")

    assert (outcome.status, outcome.err) == (0, "")
    assert "Ready to start." in outcome.out
    assert list(tmp_path.iterdir()) == []


def test_json_without_dry_run_is_refused_before_anything_is_trained(main, outline, tmp_path):
    outcome = main("train", outline / "run.yaml", "--json")

    assert outcome.status == 2
    assert "--json prints the plan of a run: give --dry-run with it" in outcome.err
    assert not (tmp_path / "runs").exists()


def test_smoke_takes_two_steps_a_stage_unless_a_flag_says_otherwise(main, outline):
    plan = main("plan", outline / "run.yaml", "--smoke", "--set", "sft={}", "--json")
    other = main("plan", outline / "run.yaml", "--smoke", "--max-steps", "3", "--json")

    settings = json.loads(plan.out)["settings"]
    assert settings["optimization.max_steps"]["value"] == 2
    assert settings["sft.optimization.max_steps"]["value"] == 2
    assert settings["evaluation.eval_prompts"]["value"] == 4
    assert json.loads(other.out)["settings"]["optimization.max_steps"]["value"] == 3


def test_smoke_uses_the_first_records_and_makes_a_smaller_demo(main, outline, tmp_path):
    plan = json.loads(main("plan", outline / "run.yaml", "--smoke", "--json").out)
    few = json.loads(main("plan", outline / "run.yaml", "--smoke", "--max-records", "7", "--json").out)
    demo = json.loads(main("plan", "--smoke", "--json").out)

    limit = plan["settings"]["data.max_records"]
    assert limit == {"value": 200, "origin": "--smoke"}
    assert plan["batches"]["training prompts"] == 32  # the file has no more
    assert few["batches"]["training prompts"] == 7
    assert demo["settings"]["data.train_path"]["value"].endswith("demo-seed0-first200/train.jsonl")


def test_a_probe_measures_real_steps_of_every_stage_and_leaves_nothing(main, tiny, tmp_path, monkeypatch):
    arguments = ["plan", tiny / "run.yaml", "--set", "sft.optimization.max_steps=40", "--max-steps", 50]
    outcome = main(*arguments, "--probe", "--json")

    assert outcome.status == 0, outcome.err
    times = json.loads(outcome.out)["times"]
    assert {stage: time["steps"] for stage, time in times.items()} == {"Safe SFT": 40, "Safe-Rank-GRPO": 50}
    for time in times.values():
        assert time["seconds per step"] > 0
        assert time["seconds"] == pytest.approx(time["steps"] * time["seconds per step"])
    assert list(tmp_path.iterdir()) == []

    monkeypatch.setenv("WORLD_SIZE", "2")
    refused = main(*arguments, "--probe")
    assert refused.status == 2
    assert "--probe measures one process" in refused.out


def test_the_plan_of_several_processes_needs_no_launcher(main, outline):
    plan = json.loads(main("plan", outline / "run.yaml", "--processes", 2, "--json").out)

    assert plan["batches"]["processes"] == 2
    assert plan["batches"]["completions per optimizer step"] == 16  # 8 a process
