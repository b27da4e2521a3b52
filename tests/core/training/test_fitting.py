"""Prompts that are too long for what generates."""

from __future__ import annotations

import pytest

from saferec_core.config.schema import TrainConfig
from saferec_core.data.records import Record
from saferec_core.errors import ConfigError
from saferec_core.training.fitting import fitted_prompts


class Words:
    """Stand in for a tokenizer: a token for every word."""

    def apply_chat_template(self, messages, **_):
        return " ".join(message["content"] for message in messages)

    def __call__(self, texts, **_):
        return {"input_ids": [text.split() for text in texts]}


def fitted(lengths, tokenizer, **settings):
    records = [Record(prompt=[{"role": "user", "content": " ".join(["word"] * n)}]) for n in lengths]
    config = TrainConfig.model_validate({"max_completion_length": 20, **settings})
    return fitted_prompts(config, records, tokenizer).records


def test_a_prompt_that_vllm_has_no_room_for_is_refused_with_the_limit_that_leaves_it():
    rollout = {"use_vllm": True, "vllm_max_model_length": 100}

    assert len(fitted([5, 80], Words(), rollout=rollout)) == 2
    with pytest.raises(ConfigError, match=r"longest prompt has 81 tokens.*leaves 80.*--max-prompt-length 80"):
        fitted([5, 81], Words(), rollout=rollout)


def test_without_vllm_no_prompt_is_counted():
    class Uncounted(Words):
        def __call__(self, texts, **_):
            raise AssertionError("prompts were counted")

    assert len(fitted([5, 500], Uncounted())) == 2
