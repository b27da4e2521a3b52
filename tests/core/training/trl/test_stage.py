"""What a stage does when its training fails."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from saferec_core.errors import RunError
from saferec_core.runs.folder import RunFolder
from saferec_core.runs.observer import Observer
from saferec_core.runs.stopping import Stop
from saferec_core.training.trl.resumable import UnsavedError
from saferec_core.training.trl.stage import train_stage


class FailingTrainer:
    """Fails in its seventh step, and can save what was before."""

    is_deepspeed_enabled = is_fsdp_enabled = False
    starts_with = "--model"

    def __init__(self, error, saved, **settings):
        self.error, self.saved = error, saved
        self.args = SimpleNamespace(
            use_vllm=True, vllm_mode="server", vllm_server_host="box", vllm_server_port=8000, **settings
        )
        self.state = SimpleNamespace(global_step=6)
        engine = SimpleNamespace(distributed_type=SimpleNamespace(value="NO"))
        self.accelerator = SimpleNamespace(state=engine)

    def is_world_process_zero(self):
        return True

    def keep_state_in(self, *_, **__):
        pass

    def add_callback(self, callback):
        pass

    def train(self):
        raise self.error

    def save_after_failure(self):
        return self.saved


class BrokenGpu(FailingTrainer):
    """Its device fails, so that reading from it fails too."""

    def save_after_failure(self):
        raise self.error


class Unsaveable(FailingTrainer):
    """Fails once more while it saves."""

    def save_after_failure(self):
        raise RuntimeError("cannot read the generator\nand more lines")


class Notes(Observer):
    """Keeps the notes."""

    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


def fail(tmp_path, error, trainer=None, observer=None):
    train_stage(
        trainer or FailingTrainer(error, tmp_path / "checkpoint-6"),
        folder=RunFolder(tmp_path),
        observer=observer or Observer(),
        stop=Stop("saferec train --resume-from runs/run"),
        checkpoint=None,
        limit=3,
        weights_are_kept=False,
    )


def test_a_server_that_no_longer_answers_is_named_with_what_is_saved_and_how_to_continue(tmp_path):
    with pytest.raises(RunError) as raised:
        fail(tmp_path, ConnectionRefusedError("connection refused"))

    message = str(raised.value)
    assert "the vLLM server at box:8000 no longer answers as it should (ConnectionRefused" in message
    assert "continue with: saferec train --resume-from runs/run" in message
    assert f"is in {tmp_path / 'checkpoint-6'}" in message


@pytest.mark.parametrize(
    "error",
    [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("CUDA error: out of memory")],
    ids=["torch", "driver"],
)
def test_memory_that_is_exhausted_names_the_step_and_the_settings_that_help(tmp_path, error):
    with pytest.raises(
        RunError, match=r"out of memory in step 7.*--gradient-checkpointing.*\(--model .*checkpoint-6\)"
    ):
        fail(tmp_path, error)


def test_any_other_failure_is_raised_as_it_is(tmp_path):
    with pytest.raises(ZeroDivisionError):
        fail(tmp_path, ZeroDivisionError())


def test_fsdp_that_was_asked_for_and_not_obtained_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")

    with pytest.raises(
        RunError, match="FSDP was asked for, but accelerate has set up plain data parallelism"
    ):
        fail(tmp_path, AssertionError("never reached"))


def test_a_gpu_that_failed_is_named_with_where_the_run_continues_and_nothing_is_read_from_it(tmp_path):
    fault = RuntimeError("CUDA error: device-side assert triggered\nCompile with TORCH_USE_CUDA_DSA")
    observer = Notes()
    with pytest.raises(RunError) as raised:
        fail(tmp_path, fault, BrokenGpu(fault, None), observer)

    message = " ".join(str(raised.value).split())
    assert "the GPU failed in step 7 (CUDA error: device-side assert triggered)" in message
    assert "it has no checkpoint and begins anew" in message
    assert "Continue with: saferec train --resume-from runs/run" in message
    assert "probability tensor contains inf, nan" in message
    assert "--learning-rate" in message
    assert observer.notes == []


def test_a_failure_to_save_does_not_hide_the_failure_before_it(tmp_path):
    observer = Notes()
    with pytest.raises(ZeroDivisionError):
        fail(tmp_path, ZeroDivisionError(), Unsaveable(ZeroDivisionError(), None), observer)

    assert observer.notes == ["The state could not be saved (RuntimeError: cannot read the generator)."]


def test_a_checkpoint_that_cannot_be_written_is_said_once(tmp_path):
    class DiskIsFull(FailingTrainer):
        def save_after_failure(self):
            raise UnsavedError("x cannot be written: at another byte")

    observer = Notes()
    with pytest.raises(RunError, match="cannot be written"):
        fail(
            tmp_path,
            UnsavedError("x cannot be written"),
            DiskIsFull(UnsavedError("x cannot be written"), None),
            observer,
        )

    assert observer.notes == []
