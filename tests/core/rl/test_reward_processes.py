"""A slow reward in processes: order kept, failures named, and killed whatever it does."""

import math
import os

import pytest

from saferec_core.config.choices import RewardCalls
from saferec_core.data.titles import Title
from saferec_core.errors import ConfigError, RewardError
from saferec_core.rl.reward_calls import RewardCaller
from saferec_core.testing.world import TITLES, judged_lists
from tests.core.rl.slow_rewards import InProcess


@pytest.fixture(scope="module")
def called():
    """Call a reward in two processes about lists that begin with a title of a given name."""
    callers = {}

    def call(*firsts, on_error="fail", timeout=600.0):
        calls = RewardCalls(processes=2, on_error=on_error, timeout=timeout)
        caller = callers.setdefault(calls, RewardCaller("reward 'slow'", InProcess(), calls))
        lists = judged_lists([[Title(name, 2001), *TITLES[:n]] for n, name in enumerate(firsts)], num_ranks=5)
        return caller(lists), lists.context.figures

    yield call
    for caller in callers.values():
        caller._processes.close()


def test_values_keep_their_order_and_figures_are_means_over_the_completions(called):
    (values, dropped), figures = called("a", "b", "c", "d", "e")

    assert values.tolist() == [1, 2, 3, 4, 5]
    assert dropped == 0
    assert figures["parent"] != os.getppid()
    assert figures["first"] == pytest.approx((3 * 1 + 2 * 4) / 5)  # three lists here, two there


def test_a_failure_is_named_and_drops_only_the_completion_that_it_is_about(called):
    with pytest.raises(RewardError, match="reward 'slow' failed: ValueError: no such film"):
        called("a", "Fail", "c")

    (values, dropped), _ = called("a", "Fail", "c", on_error="drop")

    assert [value for value in values.tolist() if not math.isnan(value)] == [1, 3]
    assert dropped == 1


def test_a_process_that_crashes_is_an_error_and_the_next_batch_has_another(called):
    with pytest.raises(RewardError, match="reward 'slow' failed: its process ended with status -11"):
        called("a", "Crash")

    assert called("a", "b")[0][0].tolist() == [1, 2]


def test_a_process_that_is_killed_between_two_batches_is_an_error_and_the_next_batch_has_another():
    caller = RewardCaller("reward 'slow'", InProcess(), RewardCalls(processes=2))
    lists = judged_lists([TITLES[:1], TITLES[:2]], num_ranks=5)
    caller(lists)
    killed = caller._processes._workers[1].process
    killed.kill()
    killed.join()

    with pytest.raises(RewardError, match="reward 'slow' failed: its process ended with status -9"):
        caller(lists)

    assert caller(lists)[0].tolist() == [1, 2]
    caller._processes.close()


def test_a_loop_outside_of_python_is_killed_when_the_time_is_over(called):
    with pytest.raises(RewardError, match="not finished after 2 s; its processes were killed"):
        called("a", "Hang", timeout=2.0)


def test_a_reward_that_keeps_a_state_is_refused():
    class Counting(InProcess):
        def state_dict(self):
            return {}

    with pytest.raises(ConfigError, match="keeps a state"):
        RewardCaller("reward 'counting'", Counting(), RewardCalls(processes=2))
