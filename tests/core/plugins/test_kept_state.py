"""What a component may keep between steps, and that a checkpoint has a copy of it."""

from collections import Counter, defaultdict, deque
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch

from saferec_core.errors import PluginError
from saferec_core.plugins.kept_state import has_state, kept_state


class Keeping:
    def __init__(self, state):
        self.state = state

    def state_dict(self):
        return self.state

    def load_state_dict(self, state):
        self.state = state


@pytest.mark.parametrize(
    "state",
    [
        {"seen": {"Saw": 2}, "mean": 0.5, "last": None, "key": b"x"},
        [1, (2, {3}), Counter("aab")],
        Random(0).getstate(),
    ],
    ids=["dictionary", "list", "generator"],
)
def test_plain_values_are_kept_as_they_are(state, tmp_path):
    kept = kept_state(Keeping(state), "reward 'acme'")

    assert kept == state
    torch.save(kept, tmp_path / "state.pth")
    assert torch.load(tmp_path / "state.pth", weights_only=True) == state


def test_what_is_kept_stays_as_it_was_when_the_component_goes_on():
    state = {"counts": {"Saw": [1]}, "mean": torch.zeros(2)}
    kept = kept_state(Keeping(state), "reward 'acme'")
    state["counts"]["Saw"].append(2)
    state["mean"] += 1

    assert kept["counts"] == {"Saw": [1]}
    assert kept["mean"].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("state", "problem"),
    [
        ({"mean": np.float64(1)}, r"state_dict\(\)\['mean'\] is of the type numpy\.float64.*float\("),
        ({"mean": np.zeros(2)}, r"\['mean'\] is of the type numpy\.ndarray.*torch\.as_tensor"),
        ([deque([1])], r"state_dict\(\)\[0\] is of the type collections\.deque"),
        ({"seen": defaultdict(int)}, r"\['seen'\] is of the type collections\.defaultdict"),
        ({Path("a"): 1}, r"a key of state_dict\(\) is of the type pathlib"),
        ({"seen": {Path("a")}}, r"an item of state_dict\(\)\['seen'\] is of the type pathlib"),
        (lambda: 1, r"state_dict\(\) is of the type builtins\.function"),
    ],
    ids=["number", "array", "deque", "defaultdict", "key", "item", "function"],
)
def test_what_no_checkpoint_can_give_back_is_refused_by_name(state, problem):
    with pytest.raises(PluginError, match=f"reward 'acme' has a state that no checkpoint .*{problem}"):
        kept_state(Keeping(state), "reward 'acme'")


def test_half_a_state_is_refused():
    class Half:
        def state_dict(self):
            return {}

    assert has_state(Keeping({}), "it")
    assert not has_state(object(), "it")
    with pytest.raises(PluginError, match="it has state_dict and no load_state_dict"):
        has_state(Half(), "it")
