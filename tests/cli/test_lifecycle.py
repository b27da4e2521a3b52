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
