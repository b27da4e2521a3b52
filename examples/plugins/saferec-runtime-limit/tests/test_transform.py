"""The transform of stated limits: what it is for, and the contract of transforms."""

import pytest
from saferec_core.testing import TransformContract

from saferec_runtime_limit.transform import StatedLimits


class TestContract(TransformContract):
    """Every property of the contract, each as a test of its own."""

    def make(self):
        return StatedLimits()


@pytest.mark.parametrize(
    ("words", "limits"),
    [
        ("Something funny, at most 100 minutes please.", ["max_runtime=100"]),
        ("No longer than two and a half hours.", ["max_runtime=150"]),
        ("Under 2 hours, and nothing before 1990.", ["max_runtime=120", "min_year=1990"]),
        ("Up to 120 min, well, under 90 minutes.", ["max_runtime=90"]),
        ("I loved 1917 and 2001: A Space Odyssey.", []),
    ],
    ids=["minutes", "hours", "both", "the strictest counts", "numbers that are titles"],
)
def test_limits_are_read_out_of_the_words_of_the_user(words, limits):
    row = {"prompt": [{"role": "user", "content": words}], "constraints": ["gore"]}

    outcomes = list(StatedLimits()([row]))

    assert outcomes[-1]["constraints"] == sorted(["gore", *limits])


def test_what_the_assistant_says_states_no_limit():
    row = {"prompt": [{"role": "assistant", "content": "At most 100 minutes?"}]}

    assert list(StatedLimits()([row])) == [row]
