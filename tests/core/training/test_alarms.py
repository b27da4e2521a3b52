"""Which alarms watch a run, when they are reported, and what an alarm that fails does to it."""

from __future__ import annotations

import json

import pytest

from saferec_core.config.schema import TrainConfig
from saferec_core.errors import ConfigError, UnknownNameError
from saferec_core.plugins.contracts.alarm import Alarm
from saferec_core.plugins.offered import Plugins
from saferec_core.plugins.registry import Origin
from saferec_core.rl.rewards import ActiveReward
from saferec_core.runs.observer import Observer
from saferec_core.runs.stopping import ALARMED, RunStopped, Stop
from saferec_core.training.alarms import AlarmWatch, build_alarms


class High(Alarm):
    """Says that x is high."""

    def __call__(self, log):
        return f"x is {log[-1]['x']:g}" if log[-1]["x"] > 1 else None


class Higher(Alarm):
    """Says that x is above 2."""

    def __call__(self, log):
        return "x is above 2" if log[-1]["x"] > 2 else None


class Harmless(High):
    stops = False


class Failing(Alarm):
    def __call__(self, log):
        raise RuntimeError("no idea")


class Heard(Observer):
    def __init__(self):
        self.alarms, self.notes = [], []

    def alarmed(self, name, step, sentence):
        self.alarms.append((name, step, sentence))

    def note(self, text):
        self.notes.append(text)


def rows(*values):
    return [{"step": float(n), "x": float(value)} for n, value in enumerate(values, start=1)]


def test_an_alarm_is_reported_when_it_begins_and_again_after_it_has_cleared():
    heard = Heard()
    watch = AlarmWatch({"high": High()}, heard)

    raised = [watch.look(row) for row in rows(0, 2, 3, 0, 4)]

    assert raised == [{}, {"high": "x is 2"}, {}, {}, {"high": "x is 4"}]
    assert heard.alarms == [("high", 2, "x is 2"), ("high", 5, "x is 4")]


def test_a_resumed_run_does_not_repeat_what_stood_and_reads_the_log_of_its_own_stage(tmp_path):
    heard = Heard()
    watch = AlarmWatch({"high": High()}, heard)
    logged = [
        {"stage": "Safe SFT", "step": 1, "loss": 1.0, "x": 0},
        {"stage": "RL", "step": 4, "loss": 0.0, "x": 2.0, "alarms": {}},
        {"stage": "RL", "step": 4, "eval_recall@5": 0.5},  # which has no x
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in logged))

    watch.continue_from(tmp_path / "metrics.jsonl", "RL")

    assert watch.look({"step": 5.0, "x": 3.0}) == {}
    assert heard.alarms == []


@pytest.mark.parametrize(("alarm", "status"), [(High(), ALARMED), (Harmless(), 0)], ids=["stops", "harmless"])
def test_an_alarm_stops_the_run_unless_it_may_be_healthy(alarm, status):
    stop = Stop("saferec train --resume-from run")

    AlarmWatch({"high": alarm}, Observer(), stop=stop).look(rows(2)[0])

    assert stop.request == status


def test_a_stopped_run_says_which_alarm_and_how_to_continue():
    stop = Stop("saferec train --resume-from run")

    with (
        pytest.raises(RunStopped, match=r"stopped by alarm: high .*: saferec train --resume-from run") as end,
        stop.after_the_step(),
    ):
        AlarmWatch({"high": High()}, Observer(), stop=stop).look(rows(2)[0])

    assert end.value.status == 1


def test_a_stopped_run_names_the_alarms_that_were_raised_until_it_ended():
    stop = Stop("")
    watch = AlarmWatch({"high": High(), "higher": Higher()}, Observer(), stop=stop)

    def train():
        with stop.after_the_step():
            for row in rows(2, 3):
                watch.look(row)

    with pytest.raises(RunStopped, match="stopped by alarm: high, higher "):
        train()


def test_the_last_row_is_reported_and_stops_nothing():
    stop, heard = Stop(""), Heard()

    AlarmWatch({"high": High()}, heard, stop=stop).look(rows(2)[0], last=True)

    assert stop.request == 0
    assert len(heard.alarms) == 1


def test_an_alarm_that_fails_is_reported_once_by_name_and_the_others_go_on():
    heard = Heard()
    watch = AlarmWatch({"failing": Failing(), "high": High()}, heard)

    raised = [watch.look(row) for row in rows(0, 2)]

    assert raised == [{}, {"high": "x is 2"}]
    [note] = heard.notes
    assert "alarm 'failing' failed: RuntimeError: no idea" in note
    assert "--ignore-alarm failing" in note


@pytest.mark.parametrize("answer", ["", 3, True], ids=["empty", "number", "true"])
def test_an_alarm_that_returns_no_sentence_is_refused_by_name(answer):
    class Wrong(Alarm):
        def __call__(self, log):
            return answer

    heard = Heard()

    assert AlarmWatch({"wrong": Wrong()}, heard).look(rows(2)[0]) == {}
    assert "alarm 'wrong' must return a sentence or None" in heard.notes[0]


def test_an_alarm_whose_figures_are_not_logged_is_not_asked():
    class Picky(Failing):
        figures = ("reward_varies/",)

    heard = Heard()
    watch = AlarmWatch({"picky": Picky()}, heard)

    watch.look({"step": 1.0, "reward": 1.0})
    assert heard.notes == []
    watch.look({"step": 2.0, "reward_varies/safety": 1.0})
    assert "alarm 'picky' failed" in heard.notes[0]


def test_all_installed_alarms_watch_but_those_left_out_with_the_options_given(plugins):
    config = TrainConfig.model_validate(
        {"alarms": {"ignore_alarm": ["entropy"], "alarm_options": {"kl": {"most": 5}}}}
    )

    count = plugins.rewards.get("count").load()
    rewards = [ActiveReward("count", count(target=7), weight=2.0)]

    alarms = build_alarms(config, plugins, print, rewards)

    assert set(alarms) == {entry.name for entry in plugins.alarms} - {"entropy"}
    assert alarms["kl"].most == 5
    assert alarms["list-length"].target == 7
    assert alarms["drowned-reward"].weights == {"count": 2.0}


@pytest.mark.parametrize(
    ("alarms", "error", "message"),
    [
        ({"ignore_alarm": ["entopy"]}, UnknownNameError, "Did you mean 'entropy'"),
        ({"alarm_options": {"kll": {}}}, UnknownNameError, "unknown alarm 'kll'"),
        ({"alarm_options": {"kl": {"mots": 1}}}, ConfigError, "alarm 'kl' has no option 'mots'"),
        ({"alarm_options": {"kl": {"most": -1}}}, ConfigError, "greater than 0"),
    ],
    ids=["ignored name", "name of options", "option", "value"],
)
def test_an_alarm_or_option_that_does_not_exist_is_refused(plugins, alarms, error, message):
    with pytest.raises(error, match=message):
        build_alarms(TrainConfig.model_validate({"alarms": alarms}), plugins, print)


def test_an_alarm_that_cannot_be_loaded_is_reported_and_the_others_watch():
    plugins = Plugins()
    with plugins.alarms.offered_by(Origin("acme", "acme-alarms", "1.0")):
        plugins.alarms.add("gone", "acme_alarms_nowhere:Gone", summary="Is not there.")
        plugins.alarms.add("kl", "saferec_plugins.alarms.policy:Kl", summary="Is there.")
    notes = []

    alarms = build_alarms(TrainConfig(), plugins, notes.append)

    assert list(alarms) == ["kl"]
    assert "alarm 'gone' of acme" in notes[0]
    assert "continues without this alarm" in notes[0]
