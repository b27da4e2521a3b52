"""Prompts that are too long for what generates."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from types import SimpleNamespace

import pytest

from saferec_core.config.schema import TrainConfig
from saferec_core.data.records import Record
from saferec_core.errors import ConfigError, DataError
from saferec_core.models import lengths
from saferec_core.models.loading import declared_context
from saferec_core.training.fitting import fitted_prompts


class Words:
    """Stand in for a tokenizer: a token for every word."""

    def apply_chat_template(self, messages, **_):
        return " ".join(message["content"] for message in messages)

    def __call__(self, texts, **_):
        return {"input_ids": [text.split() for text in texts]}


def fitted(lengths, tokenizer, context=None, **settings):
    records = [Record(prompt=[{"role": "user", "content": " ".join(["word"] * n)}]) for n in lengths]
    config = TrainConfig.model_validate({"max_completion_length": 20, **settings})
    return fitted_prompts(config, records, tokenizer, context).records


def test_a_prompt_that_vllm_has_no_room_for_is_refused_with_the_limit_that_leaves_it():
    rollout = {"use_vllm": True, "vllm_max_model_length": 100}

    assert len(fitted([5, 80], Words(), rollout=rollout)) == 2
    with pytest.raises(ConfigError, match=r"longest prompt has 81 tokens.*leaves 80.*--max-prompt-length 80"):
        fitted([5, 81], Words(), rollout=rollout)


def turns(*lengths):
    """A conversation that begins and ends with the user, with so many words in each turn."""
    roles = ("user", "assistant")
    return Record(
        prompt=[{"role": roles[n % 2], "content": " ".join(["word"] * m)} for n, m in enumerate(lengths)]
    )


def test_a_prompt_that_leaves_the_completion_no_room_in_the_context_loses_old_turns_but_never_the_last():
    config = TrainConfig.model_validate({"max_completion_length": 20})
    whole, shortened, impossible = turns(40), turns(30, 5, 25), turns(5, 5, 41)
    fitted = fitted_prompts(config, [whole, shortened, impossible], Words(), context=60)

    assert [[len(m["content"].split()) for m in record.prompt] for record in fitted.records] == [[40], [25]]
    assert (fitted.shortened, fitted.left_out) == (1, 1)


def test_the_stricter_of_limit_and_context_holds():
    config = TrainConfig.model_validate({"max_completion_length": 20, "data": {"max_prompt_length": 30}})

    assert len(fitted_prompts(config, [turns(30), turns(31)], Words(), context=60).records) == 1


def test_a_completion_that_fills_the_context_is_refused():
    config = TrainConfig.model_validate({"max_completion_length": 60})
    with pytest.raises(ConfigError, match="leaves a prompt no room in the model's context of 60 tokens"):
        fitted_prompts(config, [turns(5)], Words(), context=60)


def test_without_a_prompt_that_fits_the_limit_is_named():
    config = TrainConfig.model_validate({"max_completion_length": 20})
    with pytest.raises(DataError, match=r"no prompt fits into 40 tokens \(the model's context of 60"):
        fitted_prompts(config, [turns(50)], Words(), context=60)


def test_without_vllm_and_far_from_the_context_no_prompt_is_counted():
    class Uncounted(Words):
        def __call__(self, texts, **_):
            raise AssertionError("prompts were counted")

    assert len(fitted([5, 500], Uncounted())) == 2
    assert len(fitted([5, 500], Uncounted(), context=32_768)) == 2


@pytest.mark.parametrize(
    ("settings", "tokens"),
    [
        ({"max_position_embeddings": 32_768}, 32_768),
        (
            {"max_position_embeddings": 32_768, "rope_parameters": {"rope_type": "yarn", "factor": 4.0}},
            131_072,
        ),
        (
            {
                "max_position_embeddings": 131_072,
                "rope_parameters": {"factor": 8.0, "original_max_position_embeddings": 8192},
            },
            131_072,
        ),
        ({"n_positions": 1024}, 1024),
        ({}, None),
    ],
    ids=["plain", "yarn", "already extended", "absolute", "not stated"],
)
def test_the_context_is_what_the_configuration_declares_with_what_extends_it(settings, tokens):
    declared = SimpleNamespace(**settings)
    declared.get_text_config = lambda: declared

    assert declared_context(declared) == tokens


def test_of_many_prompts_that_may_be_too_long_a_batch_at_a_time_becomes_objects(monkeypatch):
    monkeypatch.setattr(lengths, "_BATCH", 2)
    alive = set()

    class Prompts(Sequence):
        def __len__(self):
            return 50

        def __getitem__(self, position):
            if position >= len(self):
                raise IndexError
            record = turns(30 + position % 3)
            alive.add(id(record))
            weakref.finalize(record, alive.discard, id(record))
            return record

    def rendered(record):
        most.append(len(alive))
        return record.prompt[0]["content"]

    most = []
    counted = lengths.bounded_lengths(Prompts(), 31, rendered, Words())

    assert [count > 31 for count in counted] == [position % 3 == 2 for position in range(50)]
    assert max(most) <= 5
