"""A plugin that observes a whole run."""

OBSERVER = """
import saferec_core

def note(event):
    with open("events.txt", "a") as file:
        file.write(type(event).__name__ + chr(10))

@saferec_core.hookimpl
def saferec_run_started(event):
    assert event.settings["seed"] == 7
    note(event)

@saferec_core.hookimpl
def saferec_rollouts_scored(event):
    assert event.rows[0]["titles"] is not None
    note(event)

@saferec_core.hookimpl
def saferec_checkpoint_saved(event):
    assert (event.folder / "trainer_state.json").is_file()
    note(event)

@saferec_core.hookimpl
def saferec_evaluation_finished(event):
    note(event)
    if event.when == "before":
        raise SystemExit(0)

@saferec_core.hookimpl
def saferec_run_finished(event):
    assert (event.folder / "policy").is_dir()
    note(event)
"""


def test_a_run_tells_its_observers_and_survives_one_that_fails(main, installed, tiny, tmp_path):
    installed("acme-watch", OBSERVER)
    arguments = ("--set", "logging.save_strategy=steps", "--set", "logging.save_steps=1", "--seed", "7")

    outcome = main("train", tiny / "run.yaml", *arguments)

    assert outcome.status == 0, outcome.err
    assert (tmp_path / "events.txt").read_text().split() == [
        *("RunStarted", "EvaluationFinished", "RolloutsScored", "CheckpointSaved", "RunFinished")
    ]
    printed = " ".join((outcome.out + outcome.err).split())
    assert "hook 'saferec_evaluation_finished' of acme-watch 1.2.3 failed: SystemExit: 0" in printed


SLEEPING = """
import time
import torch
import saferec_core
from saferec_core.plugins.contracts.normalizer import Advantages, Normalizer

@saferec_core.hookimpl
def saferec_register_normalizers(registry):
    registry.add("drowsy", "acme_sleep:Drowsy", summary="")

@saferec_core.hookimpl
def saferec_rollouts_scored():
    Drowsy.batches += 1

class Drowsy(Normalizer):
    batches = 0

    def __call__(self, rewards):
        if Drowsy.batches == 2:
            Drowsy.batches = 0
            time.sleep(1000)
        return Advantages(torch.zeros(rewards.rank_mask.shape), torch.zeros(len(rewards.rank_mask)))
"""


def test_a_component_that_sleeps_for_ever_ends_a_run_that_keeps_what_it_has(main, installed, tiny, tmp_path):
    installed("acme-sleep", SLEEPING)
    run = ("train", tiny / "run.yaml", "--output-dir", tmp_path / "runs", "--run-name", "a")
    options = (
        "--normalizer",
        "drowsy",
        "--max-steps",
        4,
        "--eval-prompts",
        0,
        "--set",
        "rollout_steps=1",
    )

    outcome = main(*run, *options, "--call-timeout", "drowsy=0.5")

    assert outcome.status == 2
    *_, error, advice = outcome.err.splitlines()
    assert error == (
        "error: normalizer 'drowsy' of acme-sleep 1.2.3 failed: it took longer than 0.5 s. --call-timeout "
        "drowsy=2h allows it two hours, drowsy=none any time"
    )
    assert advice.endswith(f"continue with: saferec train --resume-from {tmp_path / 'runs' / 'a'}")
    assert "The state after the last complete step is saved in" in outcome.err + outcome.out
