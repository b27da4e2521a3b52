"""How the processes of a run were started."""

import os

import pytest
import torch

from saferec_core.runs.distributed import lonely_launch, lost_contact


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


@pytest.mark.parametrize(
    ("error", "is_one"),
    [
        (
            RuntimeError("[/a/gloo/gloo/transport/tcp/pair.cc:537] Read error [127.0.0.1]:1: reset by peer"),
            True,
        ),
        (torch.distributed.DistBackendError("NCCL error: remote process exited"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
    ],
    ids=["gloo", "NCCL", "another"],
)
def test_the_loss_of_another_process_is_recognized(error, is_one):
    assert lost_contact(error) == (str(error) if is_one else "")
