"""The contract of rewards: the built-in ones hold it, and each property alone finds who breaks it."""

import logging
import os
import random
import sys
import threading
import time
import warnings
from itertools import count
from typing import ClassVar

import numpy as np
import pytest
import torch

from saferec_core import load_plugins
from saferec_core.plugins.build import build
from saferec_core.plugins.contracts.reward import RewardFunction
from saferec_core.testing import ContractError, RewardContract, check_reward
from saferec_core.testing.contract import failures_of
from tests.core.testing.kinds import COMMON, only, own_properties

PLUGINS = load_plugins()


@pytest.mark.parametrize("entry", list(PLUGINS.rewards), ids=lambda entry: entry.name)
def test_every_built_in_reward_holds_its_contract(entry):
    check_reward(build(entry, {}))


@pytest.mark.parametrize("variant", ["exp_inf", "log_decay"])
@pytest.mark.parametrize("name", ["relevance", "safety"])
def test_both_variants_of_the_discounted_rewards_hold_it(name, variant):
    check_reward(build(PLUGINS.rewards.get(name), {"variant": variant}))


class Sound(RewardFunction):
    """1 for a title of the catalog."""

    scope = "rank"

    def __call__(self, lists):
        return lists.in_catalog.float()


class TestSound(RewardContract):
    """The contract as an author uses it: pytest collects each property."""

    def make(self):
        return Sound()


class PerList(Sound):
    scope = "list"

    def __call__(self, lists):
        return super().__call__(lists).sum(1)


class Raises(Sound):
    def __call__(self, lists):
        raise ValueError("no such column")


class Exits(Sound):
    def __call__(self, lists):
        sys.exit(0)


class Hangs(Sound):
    def __call__(self, lists):
        time.sleep(3600)


class OfOneColumn(Sound):
    def __call__(self, lists):
        return super().__call__(lists)[:, :1]


class Infinite(Sound):
    def __call__(self, lists):
        return super().__call__(lists) / 0.0


class ReturnsNothing(Sound):
    def __call__(self, lists):
        return None


class Novel(Sound):
    def __init__(self):
        self.calls = count()

    def __call__(self, lists):
        return super().__call__(lists) + next(self.calls)


class ChangesTensors(Sound):
    def __call__(self, lists):
        lists.seen.zero_()
        return super().__call__(lists)


class ChangesRecords(Sound):
    def __call__(self, lists):
        lists.records[0].columns["mine"] = 1
        return super().__call__(lists)


def leaving(trace):
    """Make a reward that does *trace* at every call."""

    class Leaving(Sound):
        def __call__(self, lists):
            trace()
            return super().__call__(lists)

        def __reduce__(self):
            return Sound, ()

    return Leaving()


class HoldsAFunction(Sound):
    def __init__(self):
        self.value = lambda lists: lists.in_catalog.float()

    def __call__(self, lists):
        return self.value(lists)


class ForgetsItsOption(Sound):
    def __init__(self, weight=1.0):
        self.weight = weight

    def __call__(self, lists):
        return super().__call__(lists) * self.weight

    def __reduce__(self):
        return type(self), ()


class ComparesAllPairs(Sound):
    def __call__(self, lists):
        for _ in lists.lists:
            for _ in lists.lists:
                for _ in range(20):
                    pass
        return super().__call__(lists)


class HasAnUnknownFactor(Sound):
    factors = ("penalty",)


class Silent(Sound):
    def __call__(self, lists):
        return super().__call__(lists) * torch.nan


class LeavesItsRange(Sound):
    def range(self, num_ranks):
        return 0.0, 0.5


class GainingCost(Sound):
    direction = "cost"


class ByPlaceInTheBatch(Sound):
    def __call__(self, lists):
        return super().__call__(lists) + torch.arange(len(lists.lists))[:, None]


class Centred(PerList):
    def __call__(self, lists):
        values = super().__call__(lists)
        return values - values.mean()


class SharedOut(PerList):
    def __call__(self, lists):
        return super().__call__(lists) / len(lists.lists)


class LooksAhead(Sound):
    def __call__(self, lists):
        return super().__call__(lists).cumsum(1)


class DividesByLength(PerList):
    def __call__(self, lists):
        return super().__call__(lists) + 1 / lists.lengths


class TripsOverLongTitles(Sound):
    def __call__(self, lists):
        if any(len(item.name) > 1000 for parsed in lists.lists for item in parsed.items):
            raise OverflowError
        return super().__call__(lists)


class Counts(Sound):
    """Keeps how many lists it has valued, and takes that up again."""

    def __init__(self):
        self.count = 0

    def __call__(self, lists):
        self.count += len(lists.lists)
        return super().__call__(lists)

    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state):
        self.count = state["count"]


class CountsInNumPy(Counts):
    def state_dict(self):
        return {"count": np.float64(self.count)}


class Forgets(Counts):
    def load_state_dict(self, state):
        pass


class KeepsWhatItNeverTakesUp(Sound):
    def state_dict(self):
        return {}


class ReadsAColumn(Sound):
    def __call__(self, lists):
        popularity = [record.columns.get("popularity", 1.0) for record in lists.records]
        return super().__call__(lists) * torch.tensor(popularity)[:, None]


class DeclaresItsColumn(ReadsAColumn):
    columns: ClassVar[tuple[str, ...]] = ("popularity",)


class AsksTheOracle(Sound):
    def __call__(self, lists):
        return -lists.violations.float()


BROKEN = {
    "test_it_answers": (Raises(), Exits(), OfOneColumn(), Infinite(), ReturnsNothing()),
    "test_what_it_is_given_stays_as_it_was": (ChangesTensors(), ChangesRecords()),
    "test_it_can_be_pickled": (HoldsAFunction(), ForgetsItsOption(2.0)),
    "test_work_grows_no_faster_than_its_input": (ComparesAllPairs(),),
    "test_it_says_what_it_is": (HasAnUnknownFactor(),),
    "test_it_has_a_value_somewhere": (Silent(),),
    "test_values_are_within_the_declared_range": (LeavesItsRange(),),
    "test_a_cost_is_never_above_zero": (GainingCost(),),
    "test_the_order_of_the_batch_does_not_matter": (ByPlaceInTheBatch(),),
    "test_siblings_do_not_matter": (Centred(),),
    "test_the_size_of_the_batch_does_not_matter": (SharedOut(),),
    "test_a_title_changes_the_value_of_its_own_rank_only": (LooksAhead(),),
    "test_it_takes_empty_completions": (DividesByLength(),),
    "test_it_takes_hostile_completions": (TripsOverLongTitles(),),
    "test_its_state_survives_a_checkpoint": (CountsInNumPy(), Forgets(), KeepsWhatItNeverTakesUp()),
    "test_it_declares_its_columns": (ReadsAColumn(),),
    "test_it_declares_that_it_needs_an_oracle": (AsksTheOracle(),),
}
CASES = [
    pytest.param(name, broken, id=type(broken).__name__) for name, all_ in BROKEN.items() for broken in all_
]

TRACES = {
    "prints": lambda: sys.stdout.write("scored"),
    "warns": lambda: warnings.warn("slow", UserWarning, stacklevel=1),
    "filters warnings": lambda: warnings.simplefilter("ignore", BytesWarning),
    "seeds Python": lambda: random.seed(0),
    "seeds numpy": lambda: np.random.seed(0),  # noqa: NPY002
    "seeds torch": lambda: torch.manual_seed(0),
    "draws from torch": lambda: torch.rand(1),
    "sets a variable": lambda: os.environ.__setitem__("TOKENIZERS_PARALLELISM", "false"),
    "sets up logging": lambda: logging.root.addHandler(logging.NullHandler()),
    "extends sys.path": lambda: sys.path.append("/elsewhere"),
    "starts a thread": lambda: threading.Thread(target=time.sleep, args=(20,), daemon=True).start(),
}


@pytest.fixture
def put_back():
    path, handlers, state = sys.path[:], logging.root.handlers[:], torch.random.get_rng_state()
    yield
    sys.path[:], logging.root.handlers[:] = path, handlers
    torch.random.set_rng_state(state)


def test_a_sound_reward_holds_every_property():
    for sound in (Sound(), PerList(), Counts()):
        assert failures_of(RewardContract, sound) == {}


@pytest.mark.parametrize(("name", "broken"), CASES)
def test_each_property_alone_finds_who_breaks_it(name, broken):
    assert only(RewardContract, broken) == name


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("trace", TRACES.values(), ids=TRACES)
def test_whatever_a_call_leaves_behind_is_found(trace, put_back):
    assert only(RewardContract, leaving(trace)) == "test_the_process_stays_as_it_was"


def test_a_reward_that_never_returns_is_interrupted():
    assert failures_of(RewardContract, Hangs(), time_limit=0.2) == {
        "test_it_answers": "it has not answered after 0.2 seconds"
    }


def test_a_reward_that_is_another_each_time_is_found_unless_it_declares_so():
    name = "test_the_same_call_gives_the_same_answer"

    assert only(RewardContract, Novel()) == name
    assert only(RewardContract, Novel(), deterministic=False) == {}


def test_more_lines_than_the_budget_are_found():
    failures = failures_of(RewardContract, Sound(), lines_per_unit=1)

    assert list(failures) == ["test_work_grows_no_faster_than_its_input"]
    assert "the budget is 1 (lines_per_unit)" in failures["test_work_grows_no_faster_than_its_input"]


def test_every_property_has_a_reward_that_breaks_it():
    elsewhere = {"test_the_same_call_gives_the_same_answer", "test_the_process_stays_as_it_was"}

    assert BROKEN.keys() | elsewhere == {*COMMON, *own_properties(RewardContract)}


def test_a_column_of_its_own_gets_a_value_from_the_author():
    check_reward(DeclaresItsColumn(), columns={"popularity": 0.5})


def test_one_error_lists_every_property_that_does_not_hold():
    class Twice(ReadsAColumn):
        factors = ("penalty",)

        def __reduce__(self):
            return ReadsAColumn, ()

    with pytest.raises(ContractError) as raised:
        check_reward(Twice())

    assert str(raised.value).splitlines() == [
        "Twice: 2 properties do not hold",
        "  it says what it is: factor 'penalty' is not an option",
        "  it declares its columns: it reads popularity; declare them: columns",
    ]
