"""Settings that a configuration names and that do nothing beside its others."""

from __future__ import annotations

import pytest

from saferec_core.config.limits import Limit
from saferec_core.config.load import Layer, resolved
from saferec_core.config.schema import SftConfig, TrainConfig
from saferec_core.data.records import Record
from saferec_core.training.idle_settings import idle_limits, idle_settings


def idle_in(kind=TrainConfig, **settings):
    layer = Layer("", {"oracle": {"name": "table"}, **settings})
    return list(idle_settings(resolved(kind, files=[layer]).checked()))


@pytest.mark.parametrize("kind", [TrainConfig, SftConfig])
def test_defaults_are_never_idle(kind):
    assert idle_in(kind) == []


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"model": {"lora_r": 64, "lora_alpha": 128}},
            "model.lora_r and lora_alpha have no effect, since use_lora is not set",
        ),
        (
            {"evaluation": {"eval_temperature": 0.7}},
            "evaluation.eval_temperature has no effect, since eval_decoding samples nothing",
        ),
        (
            {"optimization": {"max_steps": 10, "num_train_epochs": 7}},
            "optimization.num_train_epochs has no effect, since max_steps is set",
        ),
        (
            {"optimization": {"lr_scheduler_type": "constant", "warmup_ratio": 0.1}},
            "optimization.warmup_ratio has no effect, since lr_scheduler_type is constant",
        ),
        (
            {"logging": {"save_strategy": "no", "save_steps": 7}},
            "logging.save_steps has no effect, since save_strategy is no",
        ),
        (
            {"logging": {"save_strategy": "no"}, "select": "recall@10"},
            "select has no effect, since save_strategy is no: there are no checkpoints to choose among",
        ),
    ],
    ids=["adapters", "sampling", "epochs", "warm-up", "save steps", "select"],
)
@pytest.mark.parametrize("kind", [TrainConfig, SftConfig])
def test_what_another_setting_switches_off_is_named_with_that_setting(kind, settings, sentence):
    assert idle_in(kind, **settings) == [sentence]


def test_what_another_setting_switches_on_is_not_named():
    used = {
        "model": {"use_lora": True, "lora_r": 64},
        "evaluation": {"eval_decoding": ["greedy", "sampled"], "eval_samples": 4},
        "optimization": {"lr_scheduler_type": "constant_with_warmup", "warmup_ratio": 0.1},
        "logging": {"save_strategy": "steps", "save_steps": 7},
        "select": "recall@10",
    }

    assert idle_in(**used) == []


def test_settings_of_an_engine_that_is_not_used_are_named():
    assert idle_in(rollout={"vllm_server_port": 9000}) == [
        "rollout.vllm_server_port has no effect, since use_vllm is not set"
    ]


def test_sampling_the_likeliest_token_alone_leaves_nothing_to_compare():
    (sentence,) = idle_in(rollout={"top_k": 1})

    assert "top_k is 1: all completions of a prompt are the same" in sentence


def test_limits_that_nothing_exceeds_are_named():
    limits = ["violation_rate<=1", "wasted<=0.02", "seen<=0.05", "repeated<=0.01"]

    assert idle_in(limits={"limit": limits}, oracle={"name": "table", "path": "oracle.jsonl"}) == [
        "the limit violation_rate <= 1 has no effect: no share exceeds 1",
        "the limit seen <= 0.05 has no effect beside wasted <= 0.02, which counts these ranks too",
    ]


def test_limits_on_what_nobody_asks_for_are_named():
    records = [Record(prompt=[], constraints=("gore",))]
    limits = [Limit("violation_rate", 0.01, "gore"), Limit("violation_rate", 0.01, "guns")]

    assert list(idle_limits(limits, records)) == [
        "the limit violation_rate[guns] <= 0.01 has no effect: no training record has this constraint",
    ]


def test_options_of_an_alarm_that_is_left_out_are_named():
    alarms = {"ignore_alarm": ["kl"], "alarm_options": {"kl": {"most": 5}, "entropy": {"least": 0.1}}}

    assert idle_in(alarms=alarms) == [
        "alarms.alarm_options.kl has no effect, since ignore_alarm leaves this alarm out"
    ]
