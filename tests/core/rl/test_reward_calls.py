"""How rewards are called: in time, async or not, kept, and without those that fail."""

import asyncio
import math
import subprocess
import sys
import time
from contextlib import suppress

import pytest
import torch

from saferec_core.config.choices import RewardCalls
from saferec_core.config.schema import TrainConfig
from saferec_core.errors import PluginError, RewardError
from saferec_core.plugins.contracts.judged_lists import JudgedLists
from saferec_core.plugins.contracts.reward import RewardFunction
from saferec_core.rl.rewards import ActiveReward, score
from saferec_core.testing import TITLES, judged_lists


class Counting(RewardFunction):
    """1 for every list, and what a test does beside; counts its calls."""

    scope = "list"

    def __init__(self, act=lambda lists: None):
        self.act = act
        self.calls = []

    def __call__(self, lists):
        self.calls.append(len(lists.lists))
        self.act(lists)
        return torch.ones(len(lists.lists))


class Answering(RewardFunction):
    """Answers as a test says."""

    scope = "rank"

    def __init__(self, answer):
        self.answer = answer

    def __call__(self, lists):
        return self.answer(lists)


def lists_of(*lengths):
    return judged_lists([TITLES[:length] for length in lengths], num_ranks=4)


def refuse_two(lists):
    if any(len(parsed.items) == 2 for parsed in lists.lists):
        raise ValueError("two titles")


def test_a_failure_ends_the_run_unless_the_run_says_otherwise():
    with pytest.raises(RewardError, match="reward 'mood' failed: ValueError: two titles"):
        score([ActiveReward("mood", Counting(refuse_two), 1.0)], lists_of(1, 2, 3))


def test_drop_leaves_exactly_the_completions_that_fail_without_a_value():
    reward = ActiveReward("mood", Counting(refuse_two), 1.0, RewardCalls(on_error="drop"))
    lists = lists_of(1, 2, 3)

    (values,) = score([reward], lists).list

    assert values[[0, 2]].tolist() == [1, 1]
    assert math.isnan(values[1])
    assert lists.context.figures["mood/dropped"] == pytest.approx(1 / 3)


def test_a_reward_that_sleeps_for_ever_is_stopped_and_named():
    sleeping = Counting(lambda _: time.sleep(1000))

    with pytest.raises(
        RewardError,
        match=r"'mood' failed: it took longer than 0\.1 s\. --set rewards\.mood\.calls\.timeout=SECONDS",
    ):
        score([ActiveReward("mood", sleeping, 1.0, RewardCalls(timeout=0.1))], lists_of(1))


def test_a_time_out_that_is_dropped_leaves_the_batch_without_values_at_once():
    sleeping = Counting(lambda _: time.sleep(1000))
    calls = RewardCalls(timeout=0.1, on_error="drop")

    (values,) = score([ActiveReward("mood", sleeping, 1.0, calls)], lists_of(1, 2)).list

    assert values.isnan().all()
    assert len(sleeping.calls) == 1


class Asking(RewardFunction):
    """Waits for all completions at once."""

    scope = "list"

    async def __call__(self, lists):
        async def length(parsed):
            await asyncio.sleep(0)
            return float(len(parsed.items))

        return torch.tensor(await asyncio.gather(*map(length, lists.lists)))


def test_an_async_reward_is_awaited_also_where_a_loop_is_running_already():
    reward = ActiveReward("mood", Asking(), 1.0)

    async def in_a_notebook():
        return score([reward], lists_of(3, 1))

    assert score([reward], lists_of(3, 1)).list[0].tolist() == [3, 1]
    assert asyncio.run(in_a_notebook()).list[0].tolist() == [3, 1]


def test_values_that_are_kept_are_not_computed_again():
    counting = Counting()
    reward = ActiveReward("mood", counting, 1.0, RewardCalls(cache=True))
    first = lists_of(1, 2)
    record = first.records[0]
    again = judged_lists([TITLES[:2], TITLES[:3]], num_ranks=4, record=record)

    assert score([reward], first).list[0].tolist() == [1, 1]
    assert score([reward], again).list[0].tolist() == [1, 1]
    assert counting.calls == [2, 1]


def test_a_value_is_not_taken_for_that_of_a_record_which_is_gone():
    # A new object may get the address, and so the id, of one that was freed.
    counting = Counting()
    reward = ActiveReward("mood", counting, 1.0, RewardCalls(cache=True))
    for _ in range(50):
        score([reward], lists_of(1))

    assert counting.calls == [1] * 50


def test_figures_of_a_reward_are_logged_under_its_name():
    lists = lists_of(1, 2)
    reward = Counting(lambda lists: lists.context.log("mean_length", lists.lengths.mean()))

    score([ActiveReward("mood", reward, 1.0)], lists)

    assert lists.context.figures == {"mood/mean_length": 1.5}


def test_a_figure_that_is_not_finite_is_refused():
    reward = Counting(lambda lists: lists.context.log("loss", math.inf))

    with pytest.raises(RewardError, match="failed: ValueError: figure 'loss' must be a finite number"):
        score([ActiveReward("mood", reward, 1.0)], lists_of(1))


def test_a_reward_without_any_value_is_reported(caplog):
    class Silent(Counting):
        def __call__(self, lists):
            return torch.full((len(lists.lists),), torch.nan)

    score([ActiveReward("mood", Silent(), 1.0)], lists_of(1))

    assert "reward 'mood' has no value for any rank of a batch (NaN everywhere)" in caplog.text


@pytest.mark.parametrize(
    "calls", [RewardCalls(cache=True), RewardCalls(on_error="drop")], ids=["kept values", "one by one"]
)
def test_a_list_without_a_value_in_a_batch_that_has_some_is_not_reported(caplog, calls):
    def of_one_title(lists):
        if calls.on_error == "drop":
            refuse_two(lists)
        return torch.where(lists.lengths == 1, 1.0, torch.nan)[:, None].expand(-1, 4)

    reward = ActiveReward("mood", Answering(of_one_title), 1.0, calls)
    first = lists_of(1, 2, 3)
    score([reward], first)
    score([reward], judged_lists([TITLES[:1], TITLES[:4]], num_ranks=4, record=first.records[0]))

    assert "NaN everywhere" not in caplog.text


def test_how_a_reward_is_called_is_set_beside_its_weight_and_options():
    config = TrainConfig(rewards={"mood": {"calls": {"timeout": 5, "on_error": "drop"}, "level": 2}})

    choice = config.rewards["mood"]
    assert (choice.calls.timeout, choice.calls.on_error, choice.options) == (5, "drop", {"level": 2})


def test_who_catches_the_time_limit_and_goes_on_is_late_all_the_same():
    def stubborn(lists):
        ends = time.monotonic() + 0.5
        while time.monotonic() < ends:
            with suppress(BaseException):
                time.sleep(0.2)
        return torch.zeros(lists.rank_mask.shape)

    with pytest.raises(RewardError, match=r"it took longer than 0\.1 s"):
        score([ActiveReward("mood", Answering(stubborn), 1.0, RewardCalls(timeout=0.1))], lists_of(1))


def test_an_async_reward_that_refuses_to_be_cancelled_is_left_behind():
    async def stubborn(lists):
        while True:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(60)

    with pytest.raises(RewardError, match=r"it took longer than 0\.1 s"):
        score([ActiveReward("mood", Answering(stubborn), 1.0, RewardCalls(timeout=0.1))], lists_of(1))


_STUBBORN = """
import asyncio, gc
from saferec_core.rl.reward_check import _run

async def stubborn():
    while True:
        try:
            await asyncio.sleep(0.01)
        except BaseException:
            pass

async def reward():
    asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    return "an answer"

print(_run(reward()))
gc.collect()
print("collected")
"""


def test_a_task_that_catches_everything_does_not_run_on_in_the_garbage_collector():
    done = subprocess.run(  # of its own: without what is tested it never ends
        [sys.executable, "-c", _STUBBORN], capture_output=True, text=True, check=False, timeout=300
    )

    assert (done.returncode, done.stdout.splitlines()) == (0, ["an answer", "collected"])


def test_an_answer_that_cannot_be_looked_at_is_refused_by_name():
    class Nameless(type):
        __name__ = property(lambda _: 1 / 0)

    class Answer(metaclass=Nameless):
        pass

    with pytest.raises(RewardError, match="reward 'mood' failed: ZeroDivisionError"):
        score([ActiveReward("mood", Answering(lambda _: Answer()), 1.0)], lists_of(1))


def make_up_seen(lists):
    lists.__dict__["seen"] = torch.zeros(lists.rank_mask.shape, dtype=torch.bool)


def empty_the_catalog(lists):
    vars(lists.judge.catalog).clear()


@pytest.mark.parametrize(
    ("change", "named"),
    [(make_up_seen, "seen"), (empty_the_catalog, "so much that it can no longer be read")],
    ids=["a value that was not computed yet", "the catalog"],
)
def test_what_others_would_read_instead_is_refused(change, named):
    def reward(lists):
        change(lists)
        return torch.zeros(lists.rank_mask.shape)

    with pytest.raises(PluginError, match=f"'mood' changed what it was given: {named}"):
        score([ActiveReward("mood", Answering(reward), 1.0)], lists_of(1))


def test_a_computed_property_of_a_shared_class_that_is_replaced_comes_back():
    def reward(lists):
        JudgedLists.violations = property(lambda lists: ~lists.rank_mask)
        return torch.zeros(lists.rank_mask.shape)

    before = vars(JudgedLists)["violations"]
    score([ActiveReward("a mood of its own", Answering(reward), 1.0)], lists_of(1))

    assert vars(JudgedLists)["violations"] is before


class Bounded(Answering):
    """Declares that its values lie in 0..1."""

    def range(self, num_ranks):
        return 0.0, 1.0


class Charging(Answering):
    """Declares that it charges."""

    direction = "cost"


def filled(value):
    return lambda lists: torch.full(tuple(lists.rank_mask.shape), value)


@pytest.mark.parametrize(
    ("reward", "problem"),
    [
        (Bounded(filled(3.5)), "returned 3.5, which is outside the range 0..1 that it declares"),
        (Bounded(filled(-0.25)), "returned -0.25, which is outside the range 0..1"),
        (Charging(filled(2.0)), "returned 2, but is a cost, which is never above 0"),
    ],
    ids=["above", "below", "cost"],
)
def test_a_value_outside_what_a_reward_declares_is_reported_once_a_run(caplog, reward, problem):
    active = ActiveReward("mood", reward, 1.0)
    for _ in range(2):
        score([active], lists_of(1, 2))

    assert caplog.text.count(f"reward 'mood' {problem}") == 1


@pytest.mark.parametrize(
    "reward",
    [
        Bounded(filled(1.0)),
        Bounded(lambda lists: torch.where(lists.rank_mask, 0.5, 9.0)),
        Bounded(filled(1 + 1e-6)),
        Charging(filled(-3.0)),
        Answering(filled(7.0)),
    ],
    ids=["at the bound", "beyond at ranks that were not written", "rounded", "a price", "no range"],
)
def test_values_within_what_a_reward_declares_are_not_reported(caplog, reward):
    score([ActiveReward("mood", reward, 1.0)], lists_of(1, 2))

    assert caplog.text == ""


def test_the_range_that_a_reward_declares_is_not_about_lists_longer_than_k(caplog):
    reward = Bounded(lambda lists: torch.where(lists.rank_mask, lists.lengths[:, None] / 2, 0.0))
    score([ActiveReward("mood", reward, 1.0)], judged_lists([TITLES[:1], TITLES[:4]], num_ranks=2))

    assert caplog.text == ""
