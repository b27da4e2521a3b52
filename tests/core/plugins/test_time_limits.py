"""Whatever a component does for ever is ended, and named with what would allow it more time."""

import json
import logging
import signal
import threading
import time
from contextlib import suppress
from types import SimpleNamespace

import pytest
import torch

from saferec_core.data.titles import Title
from saferec_core.errors import ConfigError, PluginError
from saferec_core.evaluation.measure import ActiveMetric, measure
from saferec_core.oracle_files.sources import Rejects, SourceRows, findings_of
from saferec_core.plugins import time_limits
from saferec_core.plugins.build import build
from saferec_core.plugins.calls import calling
from saferec_core.plugins.contracts.alarm import Alarm
from saferec_core.plugins.contracts.evidence import EvidenceSource, Findings
from saferec_core.plugins.contracts.lifecycle import RunFinished
from saferec_core.plugins.contracts.metric import Metric
from saferec_core.plugins.contracts.normalizer import Normalizer
from saferec_core.plugins.contracts.oracle import Oracle, Question, ask, explain
from saferec_core.plugins.contracts.parser import ListParser, parse
from saferec_core.plugins.contracts.reward import RewardFunction
from saferec_core.plugins.contracts.transform import Surveying, Transform, transformed
from saferec_core.plugins.lifecycle import Lifecycle
from saferec_core.plugins.time_limits import (
    DEFAULT_CALL_LIMIT,
    PluginTimeoutError,
    call_limit,
    still_working,
    time_limit,
)
from saferec_core.rl.credit import credit
from saferec_core.rl.rewards import ActiveReward, RewardValues
from saferec_core.runs.observer import Observer
from saferec_core.testing import TITLES, judged_lists
from saferec_core.training.alarms import AlarmWatch


def sleep(*_, **__):
    time.sleep(1000)


class SleepingOracle(Oracle):
    traits = ("gore",)
    judge = explain = sleep


class SleepingParser(ListParser):
    __call__ = format = sleep


class SleepingMetric(Metric):
    label, unit, at_depth, better, role, kind = "Sleep", "", True, "higher", "list", "mean"
    __call__ = sleep


class SleepingNormalizer(Normalizer):
    __call__ = sleep


class SleepingReward(RewardFunction):
    scope = "list"

    def __call__(self, lists):
        return torch.zeros(len(lists.lists))

    range = sleep


class SleepingAlarm(Alarm):
    __call__ = sleep


class SleepingTransform(Transform):
    __call__ = sleep


class DozingTransform(Transform):
    """Falls asleep at the second row."""

    def __call__(self, rows):
        for row in rows:
            yield row
            sleep()


class SleepingSurvey(Surveying):
    def survey(self, rows):
        list(rows)
        sleep()


class SleepingSource(EvidenceSource):
    def __init__(self, path):
        self.path = path

    def __call__(self, rows, traits):
        for _ in rows:
            yield Findings(Title("Saw", 2004), ())
            sleep()


QUESTION = Question("Saw", 2004, ("gore",))


def ask_for_advantages():
    values = RewardValues(torch.ones(0, 2, 2), torch.ones(1, 2), torch.zeros(0, 2, 2))
    reward = ActiveReward("mood", StillReward(), 1.0)
    credit([reward], values, SleepingNormalizer(), torch.ones(2, 2, dtype=torch.bool), 2)


class StillReward(SleepingReward):
    def range(self, num_ranks):
        return None


CALLS = {
    "oracle": lambda: ask(SleepingOracle(), [QUESTION]),
    "explanation": lambda: explain(SleepingOracle(), QUESTION),
    "parser": lambda: parse(SleepingParser(), "1. Saw (2004)"),
    "metric": lambda: measure(
        judged_lists([TITLES[:2]], num_ranks=2), [2], [ActiveMetric("Sleeping", SleepingMetric())]
    ),
    "normalizer": ask_for_advantages,
    "range": lambda: ActiveReward("Sleeping", SleepingReward(), 1.0).span(2),
    "transform": lambda: list(transformed(SleepingTransform(), lambda: iter([{}]))),
    "second row": lambda: list(transformed(DozingTransform(), lambda: iter([{}, {}]))),
    "survey": lambda: list(transformed(SleepingSurvey(), lambda: iter([{}, {}]))),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_component_that_sleeps_for_ever_is_named_with_what_would_allow_it_more(call, monkeypatch):
    monkeypatch.setenv("SAFEREC_CALL_TIMEOUT", "0.2")

    with pytest.raises(PluginError) as error:
        call()

    kind, name = str(error.value).split("'")[:2]
    assert f"{kind}'{name}'" in str(error.value)
    assert f"it took longer than 0.2 s. --call-timeout {name}=2h allows it two hours" in str(error.value)


def test_an_evidence_source_that_sleeps_for_ever_is_named(acme_entry_of, tmp_path, monkeypatch):
    monkeypatch.setenv("SAFEREC_CALL_TIMEOUT", "acme=0.2")
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"n": 1}) + "\n")
    entry = acme_entry_of("evidence")

    with (
        Rejects(tmp_path / "rejects.jsonl") as rejects,
        pytest.raises(
            PluginError, match=r"evidence 'acme' of acme 1\.2\.3 failed: it took longer than 0\.2 s"
        ),
    ):
        list(findings_of(SourceRows("acme", path, rejects), entry, SleepingSource(path), {"gore": None}))


OFFERS = """
import time
import saferec_core
from saferec_core.plugins.contracts.oracle import Oracle

@saferec_core.hookimpl
def saferec_register_{hook}(registry):
    registry.add("acme", "acme:Acme", summary="")

class Acme(Oracle):
    traits = ()
    def __init__(self):
        time.sleep(1000)
    def judge(self, questions):
        return []
"""


@pytest.fixture
def acme_entry_of(install, load):
    def entry(hook):
        install("acme", OFFERS.format(hook=hook))
        return next(each for each in load() if each.name == "acme")

    return entry


def test_an_oracle_that_is_never_built_is_named(acme_entry_of, monkeypatch):
    monkeypatch.setenv("SAFEREC_CALL_TIMEOUT", "acme=0.2")

    with pytest.raises(PluginError, match=r"oracle 'acme' of acme 1\.2\.3 .* cannot be built: it took"):
        build(acme_entry_of("oracles"), {})


def test_an_alarm_and_an_observer_that_sleep_for_ever_are_left_out(install, load, monkeypatch):
    monkeypatch.setenv("SAFEREC_CALL_TIMEOUT", "0.2")
    install(
        "acme",
        "import time, saferec_core\n\n@saferec_core.hookimpl\n"
        "def saferec_run_finished():\n    time.sleep(1000)\n",
    )
    notes = []

    class Heard(Observer):
        def note(self, text):
            notes.append(text)

    AlarmWatch({"doze": SleepingAlarm()}, Heard()).look({"step": 1.0, "loss": 1.0})
    Lifecycle(load().lifecycle_hooks, notes.append).happened(RunFinished("x"))

    assert "alarm 'doze' failed: it took longer than 0.2 s" in notes[0]
    assert "--call-timeout saferec_run_finished=2h" in notes[1]


class Clock:
    """A clock that a test moves; the timer rings where it is asked to."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(time_limits, "time", self)

    def monotonic(self):
        return self.now

    def pass_by(self, seconds):
        self.now += seconds
        time_limits._on_alarm(signal.SIGALRM, None)


def test_rows_that_come_in_time_may_take_any_time_together(monkeypatch):
    clock = Clock(monkeypatch)

    class Slow(Surveying):
        def survey(self, rows):
            for _ in rows:
                clock.pass_by(3000)
            return Passing()

    class Passing(Transform):
        def __call__(self, rows):
            return iter(list(rows))

    assert len(list(transformed(Slow(), lambda: iter([{}] * 5)))) == 5


def test_a_component_that_has_used_the_timer_itself_is_ended_at_a_later_row(monkeypatch):
    monkeypatch.setattr(time_limits, "_SELDOM", 0.0)

    def yields_rows():
        signal.signal(signal.SIGALRM, lambda *_: None)
        signal.alarm(0)
        still_working()
        sleep()

    with (
        pytest.raises(PluginTimeoutError, match=r"longer than 0\.2 s"),
        call_limit("step 'acme' of acme 1", 0.2, setting="x"),
    ):
        yields_rows()


@pytest.mark.parametrize("other", ["oracle 'slow' of acme 1", "oracle 'table' of saferec 1"])
def test_the_clock_of_a_reward_stands_still_while_it_waits_for_an_oracle(monkeypatch, other):
    clock = Clock(monkeypatch)

    def asks_for_long():
        clock.pass_by(500)
        with calling(other):
            clock.pass_by(3000)
        clock.pass_by(50)

    with call_limit("reward 'mood' of acme 1", 600, setting="x"):
        asks_for_long()

    def asks_for_too_long():
        with call_limit("reward 'mood' of acme 1", 600, setting="x"):
            asks_for_long()
            clock.pass_by(51)

    with pytest.raises(PluginTimeoutError, match="it took longer than 600 s"):
        asks_for_too_long()


def test_the_clock_of_a_reward_goes_on_after_it_has_waited_for_an_oracle():
    def asks_and_sleeps():
        with call_limit("oracle 'slow' of acme 1", 60, setting="x"):
            pass
        sleep()

    with pytest.raises(PluginTimeoutError, match=r"0\.2 s"), call_limit("reward 'mood'", 0.2, setting="x"):
        asks_and_sleeps()


def test_a_limit_on_everything_holds_within_calls_of_components():
    with (
        pytest.raises(PluginTimeoutError, match=r"longer than 0\.2 s"),
        time_limit(0.2),
        call_limit("oracle 'slow' of acme 1"),
    ):
        sleep()

    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_whoever_catches_the_interruption_is_interrupted_again(monkeypatch):
    monkeypatch.setattr(time_limits, "_AGAIN", 0.1)

    def stubborn():
        for _ in range(2):
            with suppress(BaseException):
                sleep()
        sleep()

    with pytest.raises(PluginTimeoutError), call_limit("oracle 'slow' of acme 1", 0.1, setting="x"):
        stubborn()


def test_a_thread_cannot_be_interrupted_and_the_log_says_so():
    may_end, logged = threading.Event(), []

    class Heard(logging.Handler):
        def emit(self, record):
            logged.append(record.getMessage())
            may_end.set()

    def work():
        with call_limit("oracle 'slow' of acme 1", 0.1, setting="x"):
            may_end.wait()

    handler = Heard()
    logging.getLogger("saferec.plugins").addHandler(handler)
    try:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    finally:
        logging.getLogger("saferec.plugins").removeHandler(handler)

    assert "oracle 'slow' of acme 1 has not returned after 0.1 s" in logged[0]


@pytest.mark.parametrize(
    ("text", "slow", "other"),
    [
        ("", DEFAULT_CALL_LIMIT, DEFAULT_CALL_LIMIT),
        ("90m", 5400, 5400),
        ("none", None, None),
        ("slow=none", None, DEFAULT_CALL_LIMIT),
        ("none, slow=2h", 7200, None),
    ],
    ids=["default", "all", "none", "one without", "one with"],
)
def test_a_limit_is_set_for_all_components_or_by_name(monkeypatch, text, slow, other):
    monkeypatch.setenv("SAFEREC_CALL_TIMEOUT", text)

    assert call_limit("oracle 'slow' of acme 1").seconds == slow
    assert call_limit("metric 'other' of acme 1 at 5").seconds == other


def test_a_limit_that_is_no_duration_is_refused(monkeypatch):
    monkeypatch.setenv("SAFEREC_CALL_TIMEOUT", "slow=soon")

    with pytest.raises(ConfigError, match="--call-timeout slow=soon: must be a duration such as 45m"):
        calling("oracle 'slow' of acme 1")


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("acne", "no component has that name. Did you mean 'acme'"),
        ("table", "it is built in, and what is built in has no limit"),
    ],
    ids=["unknown", "built in"],
)
def test_a_limit_that_would_do_nothing_is_refused(install, load, monkeypatch, name, problem):
    install("acme", OFFERS.format(hook="oracles"))
    monkeypatch.setenv("SAFEREC_CALL_TIMEOUT", f"{name}=2h")

    with pytest.raises(ConfigError, match=f"--call-timeout {name}=...: {problem}"):
        load()


def test_of_two_limits_on_a_reward_the_shorter_one_counts(monkeypatch):
    monkeypatch.setenv("SAFEREC_CALL_TIMEOUT", "mood=30")

    assert call_limit("reward 'mood' of acme 1", 600, setting="x").seconds == 30
    assert call_limit("reward 'mood' of acme 1", 10, setting="x").seconds == 10


def test_a_limit_that_ends_while_a_call_returns_is_an_error_that_names_it():
    def ring_within(frame_of):
        with calling("oracle 'slow' of acme 1", limit=time_limit(60, what="oracle 'slow' of acme 1")):
            time_limits._running[-1]._deadline = 0
            time_limits._on_alarm(signal.SIGALRM, frame_of)

    guard = SimpleNamespace(f_globals={"__name__": "saferec_core.plugins.calls"})

    with pytest.raises(PluginError, match="oracle 'slow' of acme 1 failed: it took longer than 60 s"):
        ring_within(guard)
    assert time_limits._running == []
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_what_is_built_in_has_no_limit_of_its_own():
    with calling("oracle 'table' of saferec 1"):
        assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
