"""Whole groups in every generation batch."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saferec_core.config.schema import TrainConfig
from saferec_core.errors import ConfigError
from saferec_core.training.batches import check_batches, generation_batch_size, planned_sharing


def config(batch, slices, group, steps_per_generation=None):
    return TrainConfig.model_validate(
        {
            "optimization": {"per_device_train_batch_size": batch, "gradient_accumulation_steps": slices},
            "rollout": {"num_generations": group},
            "steps_per_generation": steps_per_generation,
        }
    )


def test_the_settings_of_the_document_hold_whole_groups():
    for batch, slices, group, processes, size in ((16, 6, 8, 4, 384), (1, 24, 4, 2, 48)):
        assert generation_batch_size(config(batch, slices, group), processes) == size
        check_batches(config(batch, slices, group), processes)


def test_steps_per_generation_takes_the_place_of_the_accumulation():
    assert generation_batch_size(config(2, 8, 4, steps_per_generation=6), 3) == 36


def test_a_torn_group_is_told_with_the_nearest_settings_that_are_whole():
    with pytest.raises(ConfigError) as error:
        check_batches(config(2, 5, 4), 1)

    # 2 x 5 = 10; 2 x 4 = 8 and 2 x 6 = 12 hold groups of 4; 2 and 5 divide 10.
    message = str(error.value)
    assert "num_generations = 4 does not divide the generation batch of 10 completions" in message
    assert "per_device_train_batch_size 2 x gradient_accumulation_steps 5 x 1 process(es)" in message
    assert "gradient_accumulation_steps 4 or 6; or num_generations 2 or 5." in message


def test_a_batch_of_one_completion_has_no_group_size_to_offer():
    with pytest.raises(ConfigError, match=r"valid settings: gradient_accumulation_steps 4\.$"):
        check_batches(config(1, 1, 4), 1)


def test_the_setting_that_decides_is_the_one_that_is_named():
    with pytest.raises(ConfigError, match=r"settings: steps_per_generation 2 or 4; or"):
        check_batches(config(2, 8, 4, steps_per_generation=3), 1)


@given(st.integers(1, 6), st.integers(1, 12), st.integers(2, 9), st.integers(1, 4))
def test_every_setting_that_an_error_names_is_accepted(batch, slices, group, processes):
    try:
        check_batches(config(batch, slices, group), processes)
    except ConfigError as error:
        assert batch * slices * processes % group
        advice = re.search(
            r"gradient_accumulation_steps ([\d or]+)(?:; or num_generations (.+))?\.", str(error)
        )
        for number in re.findall(r"\d+", advice[1]):
            check_batches(config(batch, int(number), group), processes)
        for number in re.findall(r"\d+", advice[2] or ""):
            check_batches(config(batch, slices, int(number)), processes)
    else:
        assert batch * slices * processes % group == 0


def test_the_plan_names_the_batch_size_that_would_share_prompts():
    alone = planned_sharing(config(1, 24, 4))

    assert "but a training pass holds one completion alone" in alone
    assert "--per-device-train-batch-size 4 --gradient-accumulation-steps 6" in alone
    assert planned_sharing(config(16, 6, 8)) == "auto, up to 8 completions of a prompt together"
    assert "--per-device" not in planned_sharing(config(1, 5, 5 - 1))  # 5 and 4 have no common divisor
