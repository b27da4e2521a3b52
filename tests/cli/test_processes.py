"""Two processes that train together."""

import os
import subprocess
import sys

import pytest

from saferec_core.errors import RunError
from saferec_core.runs import distributed as processes

SHORT = ["--max-steps", "2", "--logging-steps", "1", "--set", "sft.optimization.max_steps=3"]
SHORT += ["--set", "sft.logging.save_steps=3", "--set", "sft.evaluation.eval_prompts=4"]
SHORT += ["--eval-prompts", "8", "--set", "evaluation.eval_decoding=[greedy]"]


@pytest.mark.slow
def test_two_processes_share_one_run_folder_and_generate_twice_the_completions(tmp_path):
    launched = subprocess.run(
        [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--nproc_per_node",
            "2",
            "--master_port",
            "29613",
            "-m",
            "saferec_cli",
            "train",
            "--reward",
            "relevance",
            "--reward",
            "count",
            *SHORT,
        ],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "160"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert launched.returncode == 0, launched.stderr[-2000:]
    assert "16 prompts x 8 completions = 128" in launched.stdout
    assert launched.stdout.count("Run folder:") == 1
    (run,) = (tmp_path / "runs").glob("*-train-*")
    assert (run / "policy" / "model.safetensors").is_file()
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 3  # two steps and the summary


def test_processes_that_do_not_work_together_are_told_so(monkeypatch):
    processes.process_count()  # this process has joined no other
    processes._state.cache_clear()
    monkeypatch.setenv("WORLD_SIZE", "2")

    with pytest.raises(RunError, match="2 processes were launched, but 1 work together"):
        processes.process_count()
