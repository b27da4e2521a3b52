"""What tests of trainers share."""

import pytest
from accelerate import Accelerator
from accelerate.state import AcceleratorState


@pytest.fixture(autouse=True)
def accelerator_state():
    """Give trainers of a whole module their shared state back: building TrainingArguments resets it."""
    if not AcceleratorState._shared_state:
        Accelerator(cpu=True)
