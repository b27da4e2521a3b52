"""Which checkpoint is meant, and what is kept of it."""

import os

import pytest

from saferec_core.config.schema import SftConfig, TrainConfig
from saferec_core.config.settings import as_yaml
from saferec_core.errors import RunError
from saferec_core.runs.checkpoints import copy_weights, sft_policy
from saferec_core.runs.layout import list_checkpoints, step_of


def test_checkpoints_are_listed_by_their_steps_and_nothing_else_is(tmp_path):
    for name in ("checkpoint-1000", "checkpoint-200", "checkpoint-best", "other", "checkpoint-"):
        (tmp_path / name).mkdir()

    assert [path.name for path in list_checkpoints(tmp_path)] == ["checkpoint-200", "checkpoint-1000"]
    assert list_checkpoints(tmp_path / "nowhere") == []
    (tmp_path / "file").touch()
    with pytest.raises(RunError, match=r"the checkpoints in .*file cannot be read: Not a directory"):
        list_checkpoints(tmp_path / "file")
    assert [step_of(path) for path in list_checkpoints(tmp_path)] == [200, 1000]


def test_weights_are_copied_without_what_only_training_needs(tmp_path):
    source = tmp_path / "checkpoint-1"
    source.mkdir()
    needed = {"model.safetensors", "config.json", "tokenizer.json", "chat_template.jinja"}
    for name in (*needed, "optimizer.pt", "scheduler.pt", "rng_state.pth", "rng_state_0.pth"):
        (source / name).write_text(name)
    for name in ("trainer_state.json", "training_args.bin"):
        (source / name).write_text(name)
    copy_weights(source, tmp_path / "policy")

    assert {path.name for path in (tmp_path / "policy").iterdir()} == needed


# --- --sft-checkpoint --------------------------------------------------------------------------


def run_folder(runs, name, config, *steps, age=0):
    folder = runs / name
    for step in steps:
        (folder / "checkpoints" / f"checkpoint-{step}").mkdir(parents=True)
    folder.mkdir(exist_ok=True)
    file = folder / "config.yaml"
    file.write_text(as_yaml(config), encoding="utf-8")
    os.utime(file, (1_000_000 - age, 1_000_000 - age))
    return folder


def sft(model):
    return SftConfig.model_validate({"model": {"model": model}})


def test_a_step_means_the_checkpoint_of_the_last_sft_run_of_the_model(tmp_path):
    run_folder(tmp_path, "old", sft("m"), 800, age=9)
    last = run_folder(tmp_path, "last", sft("m"), 400, 800, age=5)
    run_folder(tmp_path, "other-model", sft("n"), 800)

    assert sft_policy("800", "m", tmp_path) == str(last / "checkpoints" / "checkpoint-800")


def test_a_step_never_means_a_checkpoint_of_reinforcement_learning(tmp_path):
    settings = {"model": {"model": "m"}, "sft": {"max_length": 64}}
    run_folder(tmp_path, "rl", TrainConfig.model_validate(settings), 800)

    with pytest.raises(RunError, match="no SFT checkpoint of step 800"):
        sft_policy("800", "m", tmp_path)


def test_the_sft_stage_within_a_run_counts_as_an_sft_run(tmp_path):
    settings = {"model": {"model": "m"}, "sft": {"max_length": 64}}
    run = run_folder(tmp_path, "rl", TrainConfig.model_validate(settings), 100)
    stage = run_folder(run, "sft", sft("m"), 100)

    assert sft_policy("100", "m", tmp_path) == str(stage / "checkpoints" / "checkpoint-100")


def test_folders_of_other_people_are_passed_over(tmp_path):
    for name, content in (("empty", ""), ("list", "- a\n"), ("foreign", "model: gpt\n"), ("bad", "a: [")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text(content)
    run = run_folder(tmp_path, "mine", sft("m"), 800, age=99)

    assert sft_policy("800", "m", tmp_path) == str(run / "checkpoints" / "checkpoint-800")


def test_a_step_that_is_not_there_is_told_with_where_it_was_looked_for(tmp_path):
    run = run_folder(tmp_path, "run", sft("m"), 400)

    with pytest.raises(RunError) as error:
        sft_policy("800", "m", tmp_path)
    assert str(run / "checkpoints" / "checkpoint-800") in str(error.value)
    assert "--sft-checkpoint" in str(error.value)
    with pytest.raises(RunError, match="no SFT run of 'other' is in"):
        sft_policy("800", "other", tmp_path)


def test_a_run_folder_means_its_policy_and_anything_else_itself(tmp_path):
    (tmp_path / "run" / "policy").mkdir(parents=True)

    assert sft_policy(str(tmp_path / "run"), "m", tmp_path) == str(tmp_path / "run" / "policy")
    assert sft_policy("org/model", "m", tmp_path) == "org/model"
