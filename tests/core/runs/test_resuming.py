"""Which run is continued, and what keeps one from being continued."""

import pytest

from saferec_core.config.schema import TrainConfig
from saferec_core.errors import RunError
from saferec_core.runs.checkpoints import run_folder_of
from saferec_core.runs.folder import RunFolder
from saferec_core.runs.resuming import differences, find_run, open_run, rewind
from saferec_core.runs.sealing import seal


def config(tmp_path, **settings):
    return TrainConfig.model_validate({"output_dir": tmp_path / "runs", **settings})


def checkpoint(stage, step):
    path = stage / "checkpoints" / f"checkpoint-{step}"
    path.mkdir(parents=True)
    (path / "optimizer.pt").write_bytes(b"moments")
    seal(path, {"step": step, "processes": 1, "logs": {}})
    return path


def test_a_new_run_is_no_resumed_one(tmp_path):
    opened = open_run(config(tmp_path), "train", pytest.fail)

    assert not opened.is_resumed
    assert opened.start_of(opened.path, pytest.fail) is None


def test_resume_finds_the_run_by_its_name_or_by_its_settings(tmp_path):
    named = RunFolder.create(config(tmp_path, run_name="mine", seed=1), "train")
    matching = RunFolder.create(config(tmp_path, seed=2), "train")
    RunFolder.create(config(tmp_path, seed=3), "train")

    assert find_run(config(tmp_path, run_name="mine", seed=1)) == named.path
    assert find_run(config(tmp_path, seed=2)) == matching.path
    assert find_run(config(tmp_path, seed=4)) is None


def test_resume_without_a_run_starts_one_and_says_so(tmp_path):
    notes = []
    opened = open_run(config(tmp_path, run_name="mine", resume=True), "train", notes.append)

    assert not opened.is_resumed
    assert "No run with these settings" in notes[0]


def test_a_command_typed_again_without_a_name_mentions_the_unfinished_run_with_the_same_settings(tmp_path):
    first = RunFolder.create(config(tmp_path, seed=1), "train").path.rename(tmp_path / "runs" / "yesterday")
    notes = []

    open_run(config(tmp_path, seed=2), "train", notes.append)
    assert notes == []
    open_run(config(tmp_path, seed=1), "train", notes.append)
    assert len(notes) == 1
    assert f"{first} has these settings and did not finish; --resume continues it" in notes[0]


def test_a_command_typed_again_says_nothing_of_a_finished_run(tmp_path):
    first = RunFolder.create(config(tmp_path, seed=1), "train")
    first.extend_manifest({"finished": "2030-01-01"})
    first.path.rename(tmp_path / "runs" / "yesterday")

    assert not open_run(config(tmp_path, seed=1), "train", pytest.fail).is_resumed


def test_a_run_whose_configuration_was_emptied_is_refused_for_that_and_not_for_every_key(tmp_path):
    run = RunFolder.create(config(tmp_path, run_name="mine"), "train")
    run.config.write_text("")

    assert differences(run.path, config(tmp_path)) == ["config.yaml is damaged: it holds no settings"]


def test_how_a_run_is_continued_is_no_setting_of_the_run(tmp_path):
    folder = RunFolder.create(config(tmp_path, run_name="mine"), "train")
    again = config(tmp_path, run_name="mine", resume=True, logging={"max_time": "1h", "save_total_limit": 9})

    assert differences(folder.path, again) == []
    assert "resume" not in (folder.path / "config.yaml").read_text()


def test_a_run_with_other_settings_is_refused_with_the_keys_that_differ(tmp_path):
    RunFolder.create(config(tmp_path, run_name="mine"), "train")
    other = config(tmp_path, run_name="mine", resume=True, kl_beta=0.5, model={"lora_r": 4})
    with pytest.raises(RunError) as refused:
        open_run(other, "train", pytest.fail)

    assert "kl_beta was 0.001, is now 0.5" in str(refused.value)
    assert "model.lora_r was 16, is now 4" in str(refused.value)
    assert str(refused.value).count("is now") == 2


def test_a_checkpoint_belongs_to_the_outermost_run_that_it_lies_in(tmp_path):
    run = RunFolder.create(config(tmp_path, run_name="mine"), "train")
    inner = checkpoint(run.make_sft(config(tmp_path)).path, 4)

    assert run_folder_of(inner) == run.path
    assert run_folder_of(run.path) == run.path
    with pytest.raises(RunError, match="lies in no run folder"):
        run_folder_of(tmp_path)
    with pytest.raises(RunError, match="does not exist"):
        run_folder_of(tmp_path / "nowhere")


def test_a_named_checkpoint_is_taken_and_later_ones_stand_aside(tmp_path):
    run = RunFolder.create(config(tmp_path, run_name="mine"), "train")
    first, second = checkpoint(run.path, 4), checkpoint(run.path, 8)
    opened = open_run(config(tmp_path, run_name="mine", resume_from=first), "train", pytest.fail)

    assert opened.start_of(run.path, pytest.fail) == first
    assert not second.exists()
    assert (run.checkpoints / "superseded-checkpoint-8" / "optimizer.pt").is_file()

    checkpoint(run.path, 8)  # trained again, and given up again
    assert opened.start_of(run.path, pytest.fail) == first
    assert not second.exists()
    assert (run.checkpoints / "superseded-2-checkpoint-8" / "optimizer.pt").is_file()


def test_a_link_stands_for_the_checkpoint_or_the_folder_of_checkpoints_that_it_leads_to(tmp_path):
    run = RunFolder.create(config(tmp_path, seed=1), "train").path
    first, last = checkpoint(run, 1), checkpoint(run, 2)
    latest, disk = tmp_path / "latest", tmp_path / "disk"
    latest.symlink_to(first)

    opened = open_run(config(tmp_path, seed=1, resume_from=latest), "train", pytest.fail)
    assert (opened.path, opened.checkpoint) == (run, first)

    first.parent.rename(disk)
    first.parent.symlink_to(disk)
    opened = open_run(config(tmp_path, seed=1, resume_from=first), "train", pytest.fail)
    assert opened.start_of(opened.path, pytest.fail) == first
    assert not last.exists()
    assert (disk / "superseded-checkpoint-2").is_dir()


def test_a_named_checkpoint_that_is_damaged_is_refused(tmp_path):
    run = RunFolder.create(config(tmp_path, run_name="mine"), "train")
    named = checkpoint(run.path, 4)
    (named / "optimizer.pt").write_bytes(b"moment")
    opened = open_run(config(tmp_path, run_name="mine", resume_from=named), "train", pytest.fail)
    with pytest.raises(RunError, match=r"optimizer\.pt has 6 bytes instead of 7"):
        opened.start_of(run.path, pytest.fail)


def test_logs_are_cut_back_to_what_they_were_half_lines_included(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n{"step": 2}\n{"st')
    (tmp_path / "rollouts.jsonl").write_text('{"step": 1}\n')
    (tmp_path / "lists.jsonl").write_text('{"written": "by the user"}\n')
    rewind(tmp_path, {"metrics.jsonl": 12})

    assert (tmp_path / "metrics.jsonl").read_text() == '{"step": 1}\n'
    assert (tmp_path / "rollouts.jsonl").read_text() == ""
    assert (tmp_path / "lists.jsonl").read_text() == '{"written": "by the user"}\n'


def test_a_finished_run_whose_policy_was_removed_is_continued_from_its_last_checkpoint_if_there_is_one(
    tmp_path,
):
    run = RunFolder.create(config(tmp_path, run_name="mine"), "train")
    run.extend_manifest({"finished": "now"})
    again = config(tmp_path, run_name="mine", resume=True)

    with pytest.raises(RunError, match=r"is finished, but its policy and its checkpoints were removed"):
        open_run(again, "train", pytest.fail)
    newest = checkpoint(run.path, 2)
    opened = open_run(again, "train", pytest.fail)
    assert (opened.is_complete, opened.start_of(run.path, pytest.fail)) == (False, newest)
    run.policy.mkdir()
    assert open_run(again, "train", pytest.fail).is_complete
