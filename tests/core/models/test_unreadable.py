"""Models, adapters and tokenizers that are damaged or belong to something else."""

from __future__ import annotations

import json
import shutil

import pytest

from saferec_core.config.sections import ModelConfig
from saferec_core.errors import RunError
from saferec_core.models.loading import load_policy


@pytest.fixture
def model(world, tmp_path):
    return shutil.copytree(world / "model", tmp_path / "model")


@pytest.fixture
def adapter(model, tmp_path):
    """An adapter of rank 4 on the model."""
    from peft import LoraConfig, get_peft_model

    policy = load_policy(str(model), ModelConfig())
    path = tmp_path / "adapter"
    get_peft_model(policy.model, LoraConfig(r=4, target_modules="all-linear")).save_pretrained(path)
    return path


def change(file, **settings):
    file.write_text(
        json.dumps({**json.loads(file.read_text(encoding="utf-8")), **settings}), encoding="utf-8"
    )


def cut(file):
    file.write_bytes(file.read_bytes()[:100])


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (
            lambda model: cut(model / "model.safetensors"),
            "no model can be loaded from .*: Error while de",
        ),
        (
            lambda model: change(model / "config.json", hidden_size=256),
            "no model can be loaded from .*: its weights do not have the shapes that its config.json states",
        ),
        (lambda model: cut(model / "tokenizer.json"), "no tokenizer can be loaded from "),
        (
            lambda model: change(model / "config.json", vocab_size=100),
            "the shapes that its config.json states|it is the tokenizer of another model",
        ),
    ],
    ids=["weights cut off", "weights of another size", "tokenizer cut off", "a smaller vocabulary"],
)
def test_a_model_that_cannot_be_read_is_named_with_the_reason(model, harm, reason):
    harm(model)

    with pytest.raises(RunError, match=reason) as raised:
        load_policy(str(model), ModelConfig())
    assert str(model) in str(raised.value)


def test_the_tokenizer_of_another_model_is_refused_before_an_embedding_is_missed(model):
    tokenizer = json.loads((model / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer["model"]["vocab"]["unheard"] = 5000
    (model / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")

    with pytest.raises(RunError, match=r"tokens up to number 5000, but its model has embeddings for \d+"):
        load_policy(str(model), ModelConfig())


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (lambda path: cut(path / "adapter_model.safetensors"), "no adapter can be loaded from "),
        (lambda path: cut(path / "adapter_config.json"), "adapter_config.json cannot be read: "),
        (
            lambda path: change(path / "adapter_config.json", base_model_name_or_path=None),
            "adapter_config.json does not name the model that the adapter was trained on",
        ),
        (
            lambda path: change(path / "adapter_config.json", r=8),
            "its weights do not fit the model that it is put on, or its settings",
        ),
        (
            lambda path: change(path / "adapter_config.json", base_model_name_or_path="/gone"),
            "was trained on /gone, which no longer exists",
        ),
    ],
    ids=["weights cut off", "settings cut off", "no base", "another rank", "a base that is gone"],
)
def test_an_adapter_that_cannot_be_read_is_named_with_the_reason(adapter, harm, reason):
    harm(adapter)

    with pytest.raises(RunError, match=reason) as raised:
        load_policy(str(adapter), ModelConfig())
    assert str(adapter) in str(raised.value)


def test_an_adapter_of_another_model_is_refused_by_its_shapes(adapter, world, model):
    from transformers import AutoConfig, AutoModelForCausalLM

    wider = AutoConfig.from_pretrained(world / "model")
    wider.hidden_size *= 2
    AutoModelForCausalLM.from_config(wider).save_pretrained(model)

    with pytest.raises(RunError, match="its weights do not fit the model that it is put on"):
        load_policy(str(adapter), ModelConfig())
