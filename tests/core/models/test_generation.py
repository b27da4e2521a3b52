"""Completions of a policy, for evaluation."""

import pytest
import torch

from saferec_core.config.sections import ModelConfig
from saferec_core.models.completions import Decoding
from saferec_core.models.context import render
from saferec_core.models.generation import generate
from saferec_core.models.loading import load_policy

PROMPTS = [
    [{"role": "user", "content": text}]
    for text in ("I loved Saw.", "Please nothing gory. Give me 5 films.", "What should I watch? " * 4)
]


@pytest.fixture(scope="module")
def policy(world):
    return load_policy(str(world / "model"), ModelConfig())


def greedy(**options):
    return Decoding("greedy", 12, **options)


def sampled(**options):
    return Decoding("sampled", 12, **{"samples": 3, "seed": 5, **options})


def test_greedy_completions_are_the_likeliest_token_each_time(policy):
    [[ids]] = generate(policy, PROMPTS[:1], greedy())

    text = render(policy.tokenizer, PROMPTS[0])
    sequence = policy.tokenizer(text, add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        for token in ids:
            logits = policy.model(torch.tensor([sequence])).logits[0, -1]
            assert token == logits.argmax().item()
            sequence.append(token)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 50])
def test_greedy_completions_do_not_depend_on_the_batch(policy, batch_size):
    assert generate(policy, PROMPTS, greedy(batch_size=batch_size)) == [
        generate(policy, [prompt], greedy())[0] for prompt in PROMPTS
    ]


def test_the_order_of_completions_is_that_of_the_prompts(policy):
    forwards = generate(policy, PROMPTS, greedy(batch_size=2))

    assert generate(policy, PROMPTS[::-1], greedy(batch_size=2)) == forwards[::-1]


def test_a_completion_ends_with_its_end_or_at_the_limit(policy):
    end = policy.tokenizer.eos_token_id
    for siblings in generate(policy, PROMPTS, sampled(samples=20, temperature=3.0)):
        for ids in siblings:
            assert 1 <= len(ids) <= 12
            assert end not in ids[:-1]
            assert ids[-1] == end or len(ids) == 12


def test_sampling_gives_as_many_completions_as_asked_and_the_same_for_a_seed(policy):
    first = generate(policy, PROMPTS, sampled())

    assert [len(siblings) for siblings in first] == [3, 3, 3]
    assert generate(policy, PROMPTS, sampled()) == first
    assert generate(policy, PROMPTS, sampled(seed=6)) != first


@pytest.mark.parametrize("sharded", [False, True])
def test_a_prompt_is_computed_once_for_all_of_its_completions(policy, monkeypatch, sharded):
    rows, forward = [], policy.model.base_model.forward

    def counting(*arguments, **options):
        rows.append(len(options["input_ids"]))
        return forward(*arguments, **options)

    monkeypatch.setattr(policy.model.base_model, "forward", counting)
    generate(policy, PROMPTS, sampled(samples=4), sharded=sharded)

    assert rows[0] == 3  # the prompts
    assert rows[1] == 12  # the first token of each completion


def test_greedy_decoding_gives_one_completion_whatever_is_said_of_samples(policy):
    assert [len(siblings) for siblings in generate(policy, PROMPTS, greedy(samples=4))] == [1, 1, 1]


def test_generating_changes_neither_what_is_drawn_next_nor_the_mode_of_the_model(policy):
    policy.model.train()
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    generate(policy, PROMPTS, sampled())

    assert torch.equal(torch.rand(4), expected)
    assert policy.model.training
    policy.model.eval()


def test_settings_that_a_checkpoint_brings_along_do_not_change_what_is_drawn(policy):
    expected = generate(policy, PROMPTS, greedy())
    before = policy.model.generation_config
    try:
        policy.model.generation_config = type(before)(
            do_sample=True, temperature=9.0, repetition_penalty=5.0, max_new_tokens=2
        )
        assert generate(policy, PROMPTS, greedy()) == expected
    finally:
        policy.model.generation_config = before


def test_a_policy_in_the_middle_of_checkpointed_training_generates_the_same(policy):
    expected = generate(policy, PROMPTS, greedy())
    policy.model.gradient_checkpointing_enable()
    try:
        assert generate(policy, PROMPTS, greedy()) == expected
    finally:
        policy.model.gradient_checkpointing_disable()


def test_progress_is_told_in_prompts(policy):
    reported = []
    generate(policy, PROMPTS, sampled(batch_size=2), progress=reported.append)

    assert reported == [2, 3]
