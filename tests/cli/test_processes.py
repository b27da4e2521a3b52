"""Two processes that train together."""

import json
import os
import socket
import subprocess
import sys
import time

import pytest

from benchmarks.resume_soak import launcher
from saferec_core.errors import RunError
from saferec_core.runs import distributed as processes
from saferec_core.runs.layout import step_of
from saferec_core.runs.sealing import damage

BRIEF = ["--max-steps", 1, "--eval-prompts", 2, "--save-strategy", "no"]


@pytest.mark.slow
def test_two_processes_of_torchrun_share_one_run_folder_and_generate_twice_the_completions(tiny, tmp_path):
    launched = subprocess.run(
        [
            *launcher(2),
            *("train", tiny / "run.yaml", "--max-steps", "2", "--eval-prompts", "2"),
        ],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "160"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert launched.returncode == 0, launched.stderr[-2000:]
    assert "4 prompts x 4 completions = 16" in launched.stdout  # of which each process generates 8
    assert launched.stdout.count("Run folder:") == 1
    run = tmp_path / "runs" / "run"
    assert (run / "policy" / "model.safetensors").is_file()
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 3  # two steps and the summary


def test_processes_that_do_not_work_together_are_told_so(monkeypatch):
    processes.process_count()  # this process has joined no other
    processes._state.cache_clear()
    monkeypatch.setenv("WORLD_SIZE", "2")

    with pytest.raises(RunError, match="2 processes were launched, but 1 work together"):
        processes.process_count()


@pytest.mark.slow
def test_launch_starts_processes_that_train_together_and_passes_their_exit_status_on(saferec, tiny, tmp_path):
    outcome = saferec("launch", "-n", 2, "train", tiny / "run.yaml", *BRIEF)

    assert outcome.status == 0, outcome.err
    manifest = json.loads((tmp_path / "runs" / "run" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["launch"] == {"launcher": "torchrun", "processes": 2, "machines": 1, "backend": "gloo"}
    assert manifest["engine"] == {"distributed": "multi_cpu"}

    refused = saferec("launch", "-n", 2, "train", tiny / "run.yaml", "--train-path", "gone.jsonl")
    assert refused.status == 2
    assert refused.err.count("gone.jsonl does not exist") == 1
    assert "Traceback" not in refused.err


@pytest.mark.slow
def test_a_process_that_is_killed_ends_the_others_without_a_traceback_and_the_run_can_be_continued(
    tiny, tmp_path
):
    options = ["--max-steps", "200", "--eval-prompts", "0", "--save-strategy", "steps", "--save-steps", "1"]
    run = tmp_path / "runs" / "run"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def start(rank, errors):
        # Without a launcher, which would end the first process itself.
        group = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2}
        group |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": 1, "COLUMNS": 200}
        return subprocess.Popen(
            [sys.executable, "-m", "saferec_cli", "train", tiny / "run.yaml", *options],
            cwd=tmp_path,
            env={**os.environ, **{name: str(value) for name, value in group.items()}},
            stdout=errors,
            stderr=errors,
        )

    with (tmp_path / "errors").open("w") as errors:
        first, beside = (start(rank, errors) for rank in (0, 1))
        try:
            while not list(run.glob("checkpoints/checkpoint-*")):
                assert first.poll() is None, (tmp_path / "errors").read_text()[-3000:]
                time.sleep(0.1)
            beside.kill()
            status = first.wait()
        finally:
            first.kill()
            beside.kill()
    printed = (tmp_path / "errors").read_text()

    assert status == 2, printed[-3000:]
    assert "contact with the other processes of the run is lost" in printed
    assert "continue with: saferec train --resume-from runs/run" in printed
    assert "Traceback" not in printed
    assert damage(max((run / "checkpoints").glob("checkpoint-*"), key=step_of)) == ""


def test_a_process_beside_the_first_speaks_up_only_if_the_first_does_not(main, monkeypatch):
    waits = []
    monkeypatch.setattr("saferec_cli.main.time.sleep", waits.append)
    monkeypatch.setenv("RANK", "3")

    outcome = main("report", "nosuch")

    assert outcome.status == 2
    assert outcome.err.startswith("process 3: error: ")
    assert waits == [10]  # a launcher ends this process meanwhile if the first has met the same


@pytest.mark.slow
def test_two_machines_that_share_a_folder_train_one_run_together(tiny, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "saferec_cli", "launch", "-n", "2", "--machines", "2"),
                *("--machine", str(machine), "--address", "127.0.0.1", "--port", str(port)),
                *("train", str(tiny / "run.yaml"), *map(str, BRIEF)),
            ],
            cwd=tmp_path,
            env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for machine in (0, 1)
    ]
    (first, error), (second, _) = (machine.communicate() for machine in started)

    assert [machine.returncode for machine in started] == [0, 0], error[-3000:]
    assert "Safe-Rank-GRPO" in first
    assert "Safe-Rank-GRPO" not in second
    manifest = json.loads((tmp_path / "runs" / "run" / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["launch"]["processes"], manifest["launch"]["machines"]) == (2, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("-n", 2, "report", "runs/run"),
            "'saferec report' does not run in several processes; train, sft, eval do",
        ),
        (("-n", 3, "--machines", 2, "train"), "--processes 3 cannot be divided among 2 machines"),
        (("-n", 4, "--machines", 2, "--machine", 2, "train"), "--machine 2 does not exist"),
        (("-n", 4, "--machines", 2, "train"), "--port is missing"),
        (("-n", 2, "train", "--processes=3"), "asks for --processes 3, but launch starts 2 (-n)"),
        (("-n", 2, "train", "--processes", 2, "--processes", 3), "asks for --processes 3, but launch"),
        (("-n", 2, "train", "--set", "processes=3"), "asks for --set processes=3, but launch starts 2 (-n)"),
    ],
    ids=["command", "division", "machine", "port", "another number", "the last of two", "a setting"],
)
def test_processes_that_cannot_be_started_are_refused(main, arguments, message):
    outcome = main("launch", *arguments)

    assert outcome.status == 2
    assert message in outcome.err


def test_a_port_that_is_taken_is_named_before_any_process_starts(main):
    with socket.socket() as other:
        other.bind(("", 0))
        other.listen()
        port = other.getsockname()[1]
        outcome = main("launch", "-n", 2, "--port", port, "train")

    assert outcome.status == 2
    assert f"port {port} cannot be used" in outcome.err
    assert "choose another with --port" in outcome.err
