"""Alarms of a run: in the terminal, in its log and report, and what ends it."""

from __future__ import annotations

import json

import pytest

from tests import warm

CALM = """
from saferec_core import hookimpl
from saferec_core.plugins.contracts.alarm import Alarm

@hookimpl
def saferec_register_alarms(registry):
    registry.add("broken", "acme_alarms:Broken", summary="Fails.")

class Broken(Alarm):
    def __call__(self, log):
        raise RuntimeError("no idea")
"""

SAME_LISTS = ("--temperature", 0.001, "--max-steps", 5, "--eval-prompts", 0)
"""Siblings are all alike, so that no advantage is left."""


def rows(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


def test_an_alarm_is_printed_logged_and_reported_and_one_that_fails_costs_nothing(
    main, installed, tiny, tmp_path
):
    installed("acme-alarms", CALM)

    outcome = main("train", tiny / "run.yaml", *SAME_LISTS)

    assert outcome.status == 0, outcome
    printed = " ".join(outcome.out.split())
    assert "Alarm no-advantage, step 3: 100% of the advantages are 0" in printed
    assert printed.count("Alarm no-advantage") == 1
    assert "alarm 'broken' of acme-alarms 1.2.3 failed: RuntimeError: no idea" in printed
    run = tmp_path / "runs" / "run"
    [raised] = [row for row in rows(run) if "no-advantage" in row.get("alarms", {})]
    assert raised["step"] == 3
    assert raised["advantage_zero"] == 1.0
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "no-advantage at step 3" in page
    assert "100% of the advantages are 0" in page


def test_stop_on_alarm_saves_ends_with_status_1_and_the_run_can_be_continued(main, tiny, tmp_path):
    stopped = main("train", tiny / "run.yaml", *SAME_LISTS, "--stop-on-alarm")

    assert stopped.status == 1, stopped
    [why] = [line for line in stopped.err.splitlines() if line.startswith("stopped by alarm: ")]
    assert "no-advantage" in why
    run = tmp_path / "runs" / "run"
    assert "--resume-from" in stopped.err
    assert rows(run)[-1]["step"] == 4  # the step after the alarm's is finished
    assert (run / "checkpoints" / "checkpoint-4").is_dir()

    resumed = main("train", "--resume-from", run)

    assert resumed.status == 0, resumed
    assert (run / "policy").is_dir()


@pytest.mark.slow
def test_an_alarm_stops_every_process_and_is_said_once(tiny, tmp_path):
    arguments = ("train", tiny / "run.yaml", *SAME_LISTS, "--stop-on-alarm")
    output = tmp_path / "output"
    status = warm.Together(2, *arguments, folder=tmp_path, output=output).wait()

    printed = output.read_text(encoding="utf-8")
    assert status == 1, printed
    assert printed.count("stopped by alarm: ") == 1
    run = tmp_path / "runs" / "run"
    assert rows(run)[-1]["step"] == 4
    assert (run / "checkpoints" / "checkpoint-4").is_dir()


def test_an_alarm_left_out_says_nothing(main, tiny, tmp_path):
    others = ("constant-reward", "cut-off", "frozen-weights")
    ignored = [part for name in ("no-advantage", *others) for part in ("--ignore-alarm", name)]

    outcome = main("train", tiny / "run.yaml", *SAME_LISTS, "--stop-on-alarm", *ignored)

    assert outcome.status == 0, outcome
    assert not any("no-advantage" in row.get("alarms", {}) for row in rows(tmp_path / "runs" / "run"))
