"""Whether weights can move, and how many did."""

import math

import pytest
import torch

from saferec_core.config.schema import SftConfig, TrainConfig
from saferec_core.config.sections import OptimizationConfig, TrainableModelConfig
from saferec_core.errors import ConfigError
from saferec_core.training.precision import (
    Moved,
    UpdateProbe,
    adapter_rate_advice,
    check_rate,
    for_training,
    gradients_vanish,
    lost_in_rounding,
    masters_in_float32,
    planned_precision,
    precision_facts,
)


def parameter(*values, dtype=torch.float32):
    return torch.nn.Parameter(torch.tensor(values, dtype=dtype))


def test_weights_that_are_trained_are_loaded_in_float32_and_those_below_adapters_as_they_are():
    assert for_training(TrainableModelConfig()).dtype == "float32"
    assert for_training(TrainableModelConfig(use_lora=True)).dtype == "auto"
    assert for_training(TrainableModelConfig(dtype="bfloat16")).dtype == "bfloat16"


def test_adapters_are_put_into_float32_and_the_weights_below_them_left_alone():
    model = torch.nn.Linear(2, 2, dtype=torch.bfloat16)
    model.weight.requires_grad_(False)
    masters_in_float32(model, TrainableModelConfig(use_lora=True, dtype="bfloat16"))

    assert (model.weight.dtype, model.bias.dtype) == (torch.bfloat16, torch.float32)


def test_a_type_that_was_named_for_trained_weights_is_kept():
    model = torch.nn.Linear(2, 2, dtype=torch.bfloat16)
    masters_in_float32(model, TrainableModelConfig(dtype="bfloat16"))

    assert model.weight.dtype == torch.bfloat16


def test_a_rate_that_changes_no_bfloat16_weight_is_refused_with_what_to_do():
    # Between 2^-6 and 2^-5 bfloat16 numbers are 2^-13 = 1.2e-4 apart: 1e-6 rounds to nothing, 1e-3 does not.
    weights = [parameter(0.02, -0.02, 0.03, dtype=torch.bfloat16)]
    with pytest.raises(ConfigError, match=r"1e-06 cannot train .* bfloat16, 100\.0% .*--dtype.*--bf16"):
        check_rate(weights, OptimizationConfig(learning_rate=1e-6))

    check_rate(weights, OptimizationConfig(learning_rate=1e-3))
    check_rate([parameter(0.02, -0.02, 0.03)], OptimizationConfig(learning_rate=1e-6))


def test_adapters_that_begin_at_zero_can_be_moved_by_any_rate():
    check_rate([torch.nn.Parameter(torch.zeros(8))], OptimizationConfig(learning_rate=1e-12))


def test_only_weights_with_a_gradient_count_and_those_that_changed_are_moved():
    weights, unused = parameter(1.0, 2.0, 3.0, 4.0), parameter(5.0)
    probe = UpdateProbe([weights, unused])
    probe.remember()
    weights.grad = torch.tensor([1.0, 1.0, 0.0, 1.0])
    probe.see_gradients()
    with torch.no_grad():
        weights += torch.tensor([0.5, 0.0, 0.5, 1e-12])  # the last is lost in rounding

    assert probe.moved(0.5) == Moved(with_gradient=3, movable=3, moved=1)


def test_without_a_gradient_there_is_no_share():
    assert math.isnan(Moved(0, 0, 0).share)


def test_of_large_tensors_a_sample_is_looked_at_that_reaches_to_their_end():
    weights = torch.nn.Parameter(torch.zeros(100_000))
    probe = UpdateProbe([weights])
    probe.remember()
    weights.grad = torch.ones(100_000)
    probe.see_gradients()
    with torch.no_grad():
        weights[50_000:] = 1
    moved = probe.moved(1.0)

    assert moved.with_gradient <= 4096
    assert moved.share == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize(
    ("kind", "rate", "named"),
    [
        (TrainConfig, 1e-6, True),
        (TrainConfig, 1e-5, False),
        (SftConfig, 2e-5, True),
        (SftConfig, 2e-4, False),
    ],
)
def test_a_rate_for_full_weights_is_named_where_adapters_are_trained(kind, rate, named):
    settings = {"optimization": {"learning_rate": rate}}

    assert bool(adapter_rate_advice(kind.model_validate({**settings, "model": {"use_lora": True}}))) is named
    assert not adapter_rate_advice(kind.model_validate(settings))


def test_plan_and_manifest_name_the_types():
    optimization = OptimizationConfig(bf16=True)
    lora = TrainableModelConfig(use_lora=True)
    assert planned_precision(TrainableModelConfig(), optimization, torch.bfloat16) == (
        "weights in float32; computed in bfloat16 (autocast)"
    )
    assert planned_precision(lora, OptimizationConfig(), torch.bfloat16) == (
        "adapters in float32 on weights in bfloat16; computed in bfloat16"
    )
    model = torch.nn.Linear(1000, 1000, dtype=torch.bfloat16)
    model.bias.requires_grad_(False)
    assert precision_facts(model, optimization, "vLLM") == {
        "trained": "bfloat16 (1 M)",
        "frozen": "bfloat16 (0.001 M)",
        "compute": "bfloat16 (autocast)",
        "engine": "vLLM",
    }


def step_of_adam(values, gradient, rate, dtype=torch.float32):
    """Take one step of AdamW, and return what it did and the typical gradient."""
    weights = parameter(*values, dtype=dtype)
    optimizer = torch.optim.AdamW([weights], lr=rate, weight_decay=0.0)
    probe = UpdateProbe([weights])
    probe.remember()
    weights.grad = torch.full_like(weights, gradient)
    probe.see_gradients()
    optimizer.step()
    return probe.moved(rate), probe.gradient


def test_updates_that_rounding_swallows_are_told_from_gradients_that_vanish():
    values = (0.02, -0.02, 0.03)

    rounded, _ = step_of_adam(values, 1.0, 1e-6, torch.bfloat16)
    vanishing, gradient = step_of_adam(values, 1e-14, 1e-6)
    sound, _ = step_of_adam(values, 1e-3, 1e-6)

    assert (rounded.too_few, rounded.by_rounding) == (True, True)
    assert (vanishing.too_few, vanishing.by_rounding) == (True, False)
    assert not sound.too_few
    assert "--dtype" in lost_in_rounding(rounded, 1e-6)
    for stage, cause in (("train", "the same list"), ("sft", "known by heart")):
        message = gradients_vanish(vanishing, 1e-6, gradient, stage)
        assert "the gradient is next to nothing (typically 1e-14)" in message
        assert cause in message
        assert "dtype" not in message
