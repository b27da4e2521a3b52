"""Killed, stopped and failed runs, continued: equal to the bit to the run that was left alone."""

import os
import re
import signal
import subprocess
import time

import pytest
import yaml

from benchmarks.resume_soak import differences, launcher
from tests import warm

SETTINGS = {
    "steps_per_generation": 2,
    "num_iterations": 2,  # a generation batch serves four optimizer steps: most checkpoints fall within one
    "rollout_steps": 1,
    "rewards": {"relevance": {"weight": 1}, "safety": {"weight": 1}, "count": {"weight": 1, "target": 5}},
    "optimization": {
        "learning_rate": 1e-3,
        "max_steps": 6,
        "per_device_train_batch_size": 8,
        "gradient_accumulation_steps": 1,
        "optim": "adamw_torch",
    },
    "logging": {"logging_steps": 4, "save_steps": 1},
    "evaluation": {"eval_prompts": 0, "eval_at": [5]},
}
SFT = {
    "optimization": {**SETTINGS["optimization"], "max_steps": 6},  # an epoch has four
    "logging": {"logging_steps": 2, "save_steps": 1},
    "eval_strategy": "no",
    "max_length": 256,
    "group_by_length": True,
    "evaluation": {"eval_prompts": 0, "eval_at": [5]},
}


@pytest.fixture(scope="session")
def config(tiny):
    """A run of six short steps that saves after each."""
    return write(tiny, "resumed.yaml", SETTINGS)


def write(tiny, name, changes):
    settings = yaml.safe_load((tiny / "run.yaml").read_text(encoding="utf-8"))
    path = tiny / name
    path.write_text(yaml.safe_dump({**settings, **changes}), encoding="utf-8")
    return path


class Launched:
    """A run in one or several processes of its own."""

    def __init__(self, folder, *arguments, processes=1):
        self.run = folder / "run"
        self.printed = folder.parent / f"{folder.name}.printed"
        self.printed.write_bytes(b"")
        arguments = (*arguments, "--output-dir", folder)
        where = {"folder": folder.parent, "output": self.printed}
        several = processes > 1
        self.process = (
            warm.Together(processes, *arguments, **where) if several else warm.start(*arguments, **where)
        )

    def until(self, reached):
        """Wait until something is there in the run folder."""
        while not reached(self.run):
            assert self.process.poll() is None, self.output
            time.sleep(0.002)
        return self

    def end(self, number):
        self.process.send_signal(number)
        return self.process.wait()

    @property
    def output(self):
        return self.printed.read_text(encoding="utf-8")


def there(*names):
    return lambda run: any((run / name).exists() for name in names)


def finish(folder, *arguments, processes=1):
    launched = Launched(folder, *arguments, processes=processes)
    assert launched.process.wait() == 0, launched.output
    return launched.run


def fresh(folder, *arguments):
    """Train in a fresh interpreter, in which sets have another order than in those that are forked."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [*launcher(1), *map(str, arguments), "--output-dir", str(folder)]
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return folder / "run"


@pytest.fixture(scope="session")
def undisturbed(config, tmp_path_factory):
    return fresh(tmp_path_factory.mktemp("undisturbed") / "runs", "train", config)


KILLS = {
    "within a generation batch, between two and while saving": (
        ["train", "resumed.yaml"],
        SETTINGS,
        1,
        [there("checkpoints/checkpoint-2"), there("checkpoints/checkpoint-4"), there("checkpoints/.saving")],
    ),
    "Safe SFT within train, adapters, and after the training": (
        ["train", "adapters.yaml", "--use-lora", "--lora-r", 2, "--eval-prompts", 4],
        {**SETTINGS, "sft": SFT},
        1,
        [there("sft/checkpoints/checkpoint-5"), there("checkpoints/checkpoint-1"), there("policy")],
    ),
    "two processes that replace prompts": (
        ["train", "replacing.yaml", "--max-steps", 3],
        {**SETTINGS, "normalizer": {"name": "gdpo", "dynamic_sampling": True}},
        2,
        [there("checkpoints/checkpoint-1"), there("checkpoints/checkpoint-2")],
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("setting", KILLS)
def test_a_killed_run_that_is_continued_is_equal_to_the_bit_to_one_left_alone(
    setting, tiny, undisturbed, tmp_path
):
    (command, name, *further), changes, processes, kills = KILLS[setting]
    arguments = [command, write(tiny, name, changes), *further]
    alone = undisturbed
    if processes > 1:
        alone = finish(tmp_path / "alone", *arguments, processes=processes)
    elif further:
        alone = fresh(tmp_path / "alone", *arguments)
    folder = tmp_path / "killed"
    for reached in kills:
        launched = Launched(folder, *arguments, "--resume", processes=processes).until(reached)
        assert launched.end(signal.SIGKILL) == -signal.SIGKILL
    run = finish(folder, *arguments, "--resume", processes=processes)

    assert list(differences(alone, run)) == []
    assert not (run / "checkpoints" / ".saving").exists()


@pytest.mark.slow
def test_a_stopped_run_says_how_to_go_on_and_does_so_past_a_damaged_checkpoint(config, undisturbed, tmp_path):
    launched = Launched(tmp_path / "stopped", "train", config).until(there("checkpoints/checkpoint-2"))

    assert launched.end(signal.SIGTERM) == 143
    assert f"stopped by SIGTERM; continue with: saferec train --resume-from {launched.run}" in launched.output
    assert "Traceback" not in launched.output
    newest = max((launched.run / "checkpoints").glob("checkpoint-*"), key=lambda path: path.name)
    damaged = bytearray((newest / "model.safetensors").read_bytes())
    damaged[5000] ^= 1
    (newest / "model.safetensors").write_bytes(damaged)
    printed = tmp_path / "continued.printed"
    continued = warm.start(
        "train", "--resume-from", launched.run, folder=tmp_path, output=printed, columns=400
    )

    assert continued.wait() == 0, printed.read_text()
    assert "is damaged and is skipped: the content of model.safetensors has changed" in printed.read_text()
    assert "Continuing from" in printed.read_text()
    assert list(differences(undisturbed, launched.run)) == []


def test_a_run_that_is_stopped_after_every_step_is_equal_to_the_bit_to_one_left_alone(main, tiny, tmp_path):
    config = write(tiny, "steps.yaml", {**SETTINGS, "sft": {**SFT, "logging": {"save_strategy": "no"}}})
    short = ("train", config, "--max-steps", 3)
    assert main(*short, "--run-name", "alone").status == 0
    statuses = []
    limits = ("--max-time", "0.001s", "--set", "sft.logging.max_time=0.001s")
    while not statuses or statuses[-1] == 75:
        statuses.append(main(*short, *limits, "--resume").status)

    assert statuses == [75] * 9 + [0]  # six steps of Safe SFT over two epochs, then three
    assert list(differences(tmp_path / "runs" / "alone", tmp_path / "runs" / "run")) == []


FAILS_ONCE = """
import torch
from pathlib import Path
from saferec_core import hookimpl
from saferec_core.plugins.contracts.reward import RewardFunction

@hookimpl
def saferec_register_rewards(registry):
    registry.add("fails-once", "acme_fails:FailsOnce", summary="Fails at its third call, once.")

class FailsOnce(RewardFunction):
    scope = "list"
    def __init__(self):
        self.calls = 0
    def state_dict(self):
        return {"calls": self.calls}
    def load_state_dict(self, state):
        self.calls = state["calls"]
    def __call__(self, lists):
        self.calls += 1
        marker = Path("failed")
        if self.calls == 3 and Path("fails").exists() and not marker.exists():
            marker.touch()
            raise RuntimeError("the service is gone")
        return lists.lengths.float() + self.calls * torch.arange(len(lists.lists)) % 3
"""


def test_a_failure_keeps_what_was_trained_and_the_run_goes_on_from_there_with_the_state_of_its_plugins(
    main, installed, tiny, tmp_path
):
    installed("acme-fails", FAILS_ONCE)
    changes = {**SETTINGS, "steps_per_generation": 1, "num_iterations": 1}
    config = write(tiny, "fails.yaml", {**changes, "logging": {"logging_steps": 10, "save_steps": 100}})
    arguments = ("train", config, "--reward", "fails-once", "--max-steps", 4)
    assert main(*arguments, "--run-name", "alone").status == 0
    (tmp_path / "fails").touch()
    failed = main(*arguments)

    assert failed.status == 2
    assert "the service is gone" in failed.err
    assert "The state after the last complete step is saved in" in failed.out
    runs = tmp_path / "runs"
    assert [path.name for path in (runs / "run" / "checkpoints").iterdir()] == ["checkpoint-2"]
    again = main(*arguments)
    assert "continue that run with --resume" in again.err
    continued = main(*arguments, "--resume")
    assert continued.status == 0, continued.err
    assert list(differences(runs / "alone", runs / "run")) == []
    assert "is complete already" in main(*arguments, "--resume").out


STATEFUL = """
from pathlib import Path
from saferec_core import hookimpl
from saferec_core.plugins.contracts.reward import RewardFunction

@hookimpl
def saferec_register_rewards(registry):
    registry.add("counting", "acme_counts:Counting", summary="Counts its calls.")

class Counting(RewardFunction):
    scope = "list"
    calls = 0
    def state_dict(self):
        return {"calls": self.calls}
    def load_state_dict(self, state):
        self.calls = state[Path("key").read_text()]
    def __call__(self, lists):
        self.calls += 1
        return lists.lengths.float()
"""


def test_a_run_is_not_continued_with_other_data_or_a_plugin_that_does_not_know_its_own_state(
    main, installed, tiny, tmp_path
):
    data = tmp_path / "train.jsonl"
    data.write_bytes((tiny / "train.jsonl").read_bytes())
    installed("acme-counts", STATEFUL)
    config = write(tiny, "counts.yaml", SETTINGS)
    arguments = ("train", config, "--train-path", data, "--reward", "counting", "--max-time", "0.001s")
    assert main(*arguments).status == 75
    run = tmp_path / "runs" / "run"
    before = {path: path.read_bytes() for path in run.glob("*.json*") if "heartbeat" not in path.name}

    data.write_bytes(data.read_bytes() + (tiny / "test.jsonl").read_bytes())
    refused = main(*arguments, "--resume")
    assert refused.status == 2
    assert "run runs/run began with other data and cannot be continued: train_path (" in refused.err
    assert {path: path.read_bytes() for path in before} == before

    data.write_bytes((tiny / "train.jsonl").read_bytes())
    (tmp_path / "key").write_text("count", encoding="utf-8")
    refused = main(*arguments, "--resume")
    assert refused.status == 2
    assert "reward 'counting'" in refused.err
    assert (
        "failed to take up its state from runs/run/checkpoints/checkpoint-1: KeyError: 'count'" in refused.err
    )

    other = main("sft", "--resume-from", run)
    assert other.status == 2
    assert "is a run of 'saferec train', not of 'saferec sft'; continue it with: saferec train --resume" in (
        other.err
    )


def test_a_run_out_of_time_saves_and_ends_with_a_status_of_its_own(main, config, tmp_path):
    outcome = main("train", config, "--max-time", "0.001s")

    assert outcome.status == 75
    assert "the time of --max-time is up; continue with: saferec train --resume-from runs/run" in outcome.err
    assert (tmp_path / "runs" / "run" / "checkpoints" / "checkpoint-1").is_dir()
    policy_of_unfinished = main("train", config, "--sft-checkpoint", "runs/run", "--run-name", "other")
    assert policy_of_unfinished.status == 2
    assert (
        "did not finish and has no policy; continue it with --resume-from runs/run"
        in policy_of_unfinished.err
    )
    assert "or name its last intact checkpoint, runs/run/checkpoints/checkpoint-1" in policy_of_unfinished.err
    differing = main("train", config, "--kl-beta", 0.5, "--resume")
    assert "kl_beta was 0.001, is now 0.5" in differing.err


@pytest.mark.parametrize(
    ("step", "error"),
    [
        (1, OSError(28, "No space left on device")),
        (2, OSError(28, "No space left on device")),
        (2, RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 1186944 vs 1186832")),
    ],
    ids=["the first", "at once", "at the end of a file of torch"],
)
def test_a_checkpoint_that_cannot_be_written_is_named_and_leaves_all_else_that_the_run_has(
    main, config, tmp_path, monkeypatch, step, error
):
    import torch

    save = torch.save

    def full(content, path, *arguments, **options):
        if f"checkpoint-{step}" in str(path):
            raise error
        save(content, path, *arguments, **options)

    monkeypatch.setattr(torch, "save", full)
    outcome = main("train", config)

    assert outcome.status == 2
    assert re.search(
        rf"checkpoint-{step} cannot be written: (No space left|the disk may be full)", outcome.err
    )
    assert "Traceback" not in outcome.err
    run = tmp_path / "runs" / "run"
    assert outcome.err.endswith(
        "Once the cause is repaired, continue with: saferec train --resume-from runs/run\n"
    )
    assert [path.name for path in (run / "checkpoints").iterdir()] == ["checkpoint-1"][: step - 1]
    assert (run / "rollouts.jsonl").is_file()


def test_a_disk_that_fills_up_within_a_checkpoint_leaves_the_run_without_half_of_one(
    main, config, world, tmp_path
):
    pytest.importorskip("resource", reason="limits files by a call of Unix")
    weights = (world / "model" / "model.safetensors").stat().st_size
    (tmp_path / "limited.py").write_text(
        f"""
import resource
from saferec_cli.main import main
limit = {weights * 3 // 2}  # the optimizer has twice as much as the weights
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
main()
""",
        encoding="utf-8",
    )
    printed = tmp_path / "printed"
    process = warm.start("train", config, folder=tmp_path, output=printed, module="limited")

    assert process.wait() == 2
    output = printed.read_text(encoding="utf-8")
    assert output.count("checkpoint-1 cannot be written: the disk may be full") == 1
    assert "Traceback" not in output
    run = tmp_path / "runs" / "run"
    assert list((run / "checkpoints").iterdir()) == []
    again = main("train", "--resume-from", run)
    assert (again.status, (run / "policy").is_dir()) == (0, True), again.err


def test_a_policy_holds_weights_configuration_and_tokenizer_and_nothing_else(undisturbed):
    assert sorted(path.name for path in (undisturbed / "policy").iterdir()) == [
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
