"""Learning rates against the weights in the files of a checkpoint, before anything is loaded."""

import json

import pytest
import torch
from safetensors.torch import save_file

from saferec_core.config.schema import SftConfig, TrainConfig
from saferec_core.config.sections import OptimizationConfig
from saferec_core.config.settings import merged
from saferec_core.errors import ConfigError
from saferec_core.preflight.problems import Problems
from saferec_core.preflight.rates import check_rates
from saferec_core.training.precision import check_rate


@pytest.fixture
def model(tmp_path):
    """Makes a checkpoint of normal weights of some type."""

    def make(dtype=torch.float32, number=100_000):
        weights = torch.randn(number, generator=torch.Generator().manual_seed(0)) * 0.02
        tensors = {
            "a.weight": weights.to(dtype),
            "b.weight": weights[:10].clone().to(dtype),
            "c.weight": torch.zeros(0),
        }
        save_file(tensors, tmp_path / "model.safetensors")
        (tmp_path / "config.json").write_text("{}", encoding="utf-8")
        return tmp_path

    return make


def problems_of(kind, folder, **changes):
    config = kind.model_validate(merged([{"model": {"model": str(folder)}}, changes]))
    problems = Problems()
    check_rates(problems, config)
    return problems.lines


def rate(value):
    return {"optimization": {"learning_rate": value}}


def test_the_rates_of_both_stages_are_checked_each_by_its_setting(model):
    folder = model()

    assert problems_of(TrainConfig, folder, **rate(1e-6)) == []
    [line] = problems_of(TrainConfig, folder, **rate(1e-12), sft={})
    assert line.startswith("--learning-rate: a learning rate of 1e-12 cannot train these weights: in float32")
    assert line.endswith("Raise --learning-rate.")
    [line] = problems_of(TrainConfig, folder, sft=rate(1e-12))
    assert line.startswith("sft.optimization.learning_rate (--set): a learning rate of 1e-12")
    [line] = problems_of(SftConfig, folder, **rate(1e-12))
    assert "Raise --learning-rate." in line


def test_adapters_and_models_that_are_not_there_are_left_to_the_run(model, tmp_path):
    assert problems_of(SftConfig, model(), **rate(1e-12)) != []
    assert problems_of(SftConfig, tmp_path, **rate(1e-12), model={"use_lora": True}) == []
    assert problems_of(SftConfig, "some/model-of-the-hub", **rate(1e-12)) == []


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
@pytest.mark.parametrize("value", [1e-3, 1e-5, 1e-6, 1e-9])
def test_the_answer_is_that_of_the_weights_once_they_are_loaded(model, dtype, value):
    stored = getattr(torch, dtype)
    folder = model(stored)
    settings = {**rate(value), "model": {"model": str(folder), "dtype": dtype}}
    weights = torch.randn(4000, generator=torch.Generator().manual_seed(0)) * 0.02

    lines = problems_of(SftConfig, folder, **settings)

    try:
        check_rate([torch.nn.Parameter(weights.to(stored))], OptimizationConfig(learning_rate=value))
    except ConfigError:
        assert len(lines) == 1
        assert f"in {dtype}" in lines[0]
    else:
        assert lines == []


def test_a_file_that_is_cut_off_or_holds_other_types_is_left_to_the_run(model):
    folder = model()
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1001])
    assert len(problems_of(SftConfig, folder, **rate(1e-12))) == 1  # by those that are there
    header = json.dumps({"a": {"dtype": "I32", "shape": [4], "data_offsets": [0, 16]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(16))

    assert problems_of(SftConfig, folder, **rate(1e-12)) == []


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 1234\n"
DAMAGED = {
    "lfs-pointer": LFS,
    "empty": b"",
    "endless": (2**63 + 1).to_bytes(8, "little") + b"{}",
    "list": (2).to_bytes(8, "little") + b"[]",
    "no-dtype": (40).to_bytes(8, "little") + b'{"a": {"shape": [1], "data_offsets": [0,',
    "text": (8).to_bytes(8, "little") + b"not json",
    "fields": (8).to_bytes(8, "little") + b'{"a": 1}',
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_header_is_left_to_the_run_which_names_the_file(model, content):
    folder = model()
    (folder / "model.safetensors").write_bytes(content)

    assert problems_of(SftConfig, folder, **rate(1e-12)) == []
