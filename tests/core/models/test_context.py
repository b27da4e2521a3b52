"""Prompts that are longer than a model's context, in evaluation and wherever else lists are generated."""

from __future__ import annotations

from dataclasses import replace

import pytest

from saferec_core.config.sections import ModelConfig
from saferec_core.errors import DataError
from saferec_core.models.completions import Decoding
from saferec_core.models.context import encode, room_for_prompt
from saferec_core.models.generation import PolicyGenerator
from saferec_core.models.loading import load_policy
from saferec_core.models.streaming import StreamedCompletion, stream

LAST = [{"role": "user", "content": "Something funny, and nothing violent."}]
OLDER = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "What would you like?"}]
DECODING = Decoding("greedy", max_completion_length=8)


@pytest.fixture
def policy(world):
    """A policy that can read the last turn and a completion, and not a token more."""
    policy = load_policy(str(world / "model"), ModelConfig())
    policy.model.config.max_position_embeddings = len(encode(policy.tokenizer, [LAST])[0]) + 8
    return policy


def test_a_prompt_loses_its_oldest_turns_and_keeps_the_last_with_its_constraint(policy):
    notes = []
    long, short = PolicyGenerator(policy, note=notes.append)([OLDER + LAST, LAST], DECODING)

    assert long == short
    room = policy.model.config.max_position_embeddings - 8
    (note,) = notes
    assert note == (
        f"1 of 2 prompts lost their oldest turns: the model's context leaves them {room} tokens beside a "
        "completion."
    )


def test_a_streamed_completion_is_of_the_shortened_prompt_too(policy):
    *_, long = stream(policy, OLDER + LAST, DECODING)
    *_, short = stream(policy, LAST, DECODING)

    assert isinstance(long, StreamedCompletion)
    assert long == short
    assert long.prompt_tokens == len(encode(policy.tokenizer, [LAST])[0])


def test_a_last_turn_that_is_too_long_is_never_cut(policy):
    turn = {"role": "user", "content": LAST[0]["content"] * 2}
    with pytest.raises(
        DataError, match=r"even its last turn alone, which is never cut, .* begins: 'Something funny"
    ):
        PolicyGenerator(policy)([LAST, [*OLDER, turn]], DECODING)


def test_a_limit_of_completions_above_half_of_the_context_takes_no_more_than_half(policy):
    assert room_for_prompt(100, 30) == 70
    assert room_for_prompt(100, 51) == room_for_prompt(100, 512) == 50
    assert room_for_prompt(None, 30) is None
    with pytest.raises(DataError, match="lower max_completion_length"):
        PolicyGenerator(policy)([LAST], replace(DECODING, max_completion_length=512))
