"""Defaults by what is trained, and presets."""

import pytest
from pydantic import TypeAdapter

from saferec_core.config.presets import PRESETS, default_origin, preset_settings
from saferec_core.config.schema import SftConfig, TrainConfig
from saferec_core.config.sections import TrainableModelConfig
from saferec_core.errors import UnknownNameError

LORA = {"model": {"use_lora": True}}


def test_adapters_have_learning_rates_of_their_own():
    assert TrainConfig().optimization.learning_rate == 1e-6
    assert TrainConfig.model_validate(LORA).optimization.learning_rate == 1e-5
    assert TrainConfig(model=TrainableModelConfig(use_lora=True)).optimization.learning_rate == 1e-5
    assert SftConfig().optimization.learning_rate == 5e-5
    assert SftConfig.model_validate(LORA).optimization.learning_rate == 2e-4


def test_a_learning_rate_that_is_named_is_taken():
    settings = {**LORA, "optimization": {"learning_rate": 3e-7}}

    assert TrainConfig.model_validate(settings).optimization.learning_rate == 3e-7


def test_safe_sft_within_a_run_follows_what_the_run_trains():
    config = TrainConfig.model_validate({**LORA, "sft": {"optimization": {"max_steps": 5}}})

    assert config.sft.optimization.learning_rate == 2e-4
    assert config.sft.optimization.max_steps == 5


@pytest.mark.parametrize("flag", ["true", "1", "yes", True])
def test_flags_are_understood_as_text(flag):
    assert TrainConfig.model_validate({"model": {"use_lora": flag}}).optimization.learning_rate == 1e-5


def test_what_is_no_mapping_is_left_to_the_check():
    with pytest.raises(ValueError, match="optimization"):
        TrainConfig.model_validate({**LORA, "optimization": 3})


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_valid_for_both_stages(name):
    TypeAdapter(SftConfig).validate_python(preset_settings(name, "sft"))
    TypeAdapter(TrainConfig).validate_python(preset_settings(name, "train", with_sft=True))


def test_an_unknown_preset_is_refused_with_those_there_are():
    with pytest.raises(UnknownNameError, match="Did you mean 'safe-rank-grpo'"):
        preset_settings("safe-rank-gpro", "train")


def test_the_origin_of_a_default_names_the_regime_where_that_decides():
    assert default_origin("train", "optimization.learning_rate", use_lora=True) == "default for LoRA"
    assert default_origin("sft", "optimization.learning_rate", use_lora=False) == "default for full weights"
    assert default_origin("train", "kl_beta", use_lora=True) == "default"
