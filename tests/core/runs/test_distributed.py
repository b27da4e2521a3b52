"""How the processes of a run were started."""

import os

import pytest

from saferec_core.runs.distributed import lonely_launch


@pytest.fixture
def without_gpu(monkeypatch):
    monkeypatch.setattr("torch.accelerator.is_available", lambda: False)


def test_one_process_that_accelerate_started_without_a_gpu_is_remarked_upon(monkeypatch, without_gpu):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")  # as `accelerate launch` sets it

    assert "'saferec launch -n N' starts N" in lonely_launch()


def test_one_process_without_a_launcher_is_not(monkeypatch, without_gpu):
    for name in [name for name in os.environ if name.startswith("ACCELERATE_")]:
        monkeypatch.delenv(name)  # a library of another test may have set it

    assert lonely_launch() == ""
