"""Optimizers by name, and the one that suits the machine."""

import pytest
from transformers.training_args import OptimizerNames

from saferec_core.training import optimizers
from saferec_core.training.optimizers import choose_optimizer, optimizer_problem


@pytest.fixture
def with_packages(monkeypatch):
    def install(*packages):
        monkeypatch.setattr(optimizers, "find_spec", lambda name: object() if name in packages else None)

    return install


def test_auto_pages_eight_bit_state_only_on_a_gpu_with_bitsandbytes_and_says_why(with_packages):
    with_packages("bitsandbytes")
    assert choose_optimizer("auto", has_gpu=True).name == "paged_adamw_8bit"
    assert choose_optimizer("auto", has_gpu=False) == ("adamw_torch", "auto: this machine has no GPU")
    with_packages()
    chosen = choose_optimizer("auto", has_gpu=True)
    assert chosen.name == "adamw_torch"
    assert "bitsandbytes is missing" in chosen.reason


def test_an_optimizer_that_was_named_is_taken():
    assert choose_optimizer("sgd", has_gpu=True) == ("sgd", "")


@pytest.mark.parametrize(
    ("name", "install"),
    [
        ("paged_adamw_8bit", "install saferec[quant]"),
        ("lion_32bit", "install saferec[quant]"),
        ("adamw_torch_8bit", "install torchao"),
        ("schedule_free_adamw", "install schedulefree"),
        ("stable_adamw", "install torch-optimi"),
    ],
)
def test_the_package_that_an_optimizer_needs_is_named(with_packages, name, install):
    with_packages()
    assert install in optimizer_problem(name)
    assert "--optim" in optimizer_problem(name)


def test_an_optimizer_whose_package_is_there_is_no_problem(with_packages):
    with_packages("bitsandbytes")
    assert optimizer_problem("lion_32bit") == ""
    assert optimizer_problem("adamw_torch") == ""


def test_a_misspelled_optimizer_gets_near_misses():
    assert "Did you mean 'adamw_torch'" in optimizer_problem("adamw_troch")


def test_every_optimizer_that_is_offered_is_one_of_transformers():
    offered = optimizer_problem("?").partition("Available: ")[2].rstrip(".").split(", ")
    assert set(offered) - {"auto"} <= {name.value for name in OptimizerNames}
