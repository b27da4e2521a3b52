"""What is said when memory runs out."""

import pytest
import torch

from saferec_core.errors import RunError
from saferec_core.models.memory import memory_advised


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory"),
        MemoryError(),
    ],
    ids=["gpu", "processor", "python"],
)
def test_memory_that_runs_out_names_what_was_being_done_and_what_helps(error):
    with pytest.raises(RunError) as raised, memory_advised("loading the model", "--use-lora", "another"):
        raise error

    assert str(raised.value) == (
        "out of memory while loading the model. What helps, in this order: --use-lora; another."
    )


def test_any_other_error_is_raised_as_it_is():
    with (
        pytest.raises(RuntimeError, match="shapes differ"),
        memory_advised("loading the model", "--use-lora"),
    ):
        raise RuntimeError("shapes differ")


def test_an_allocation_that_no_machine_can_serve_is_one():
    with (
        pytest.raises(RunError, match="out of memory while generating"),
        memory_advised("generating", "less"),
    ):
        torch.empty(1 << 50)
