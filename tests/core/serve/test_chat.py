"""Chat requests as clients send them."""

import pytest

pytest.importorskip("fastapi", reason="needs saferec[serve]")

from saferec_core.serve.chat import ChatRequest

ASKED = {"model": "policy", "messages": [{"role": "user", "content": "Something funny"}]}


def test_fields_that_a_client_sends_as_null_are_as_good_as_left_out():
    standard = (
        "temperature",
        "top_p",
        "seed",
        "n",
        "stop",
        "logprobs",
        "response_format",
        "tool_choice",
        "tools",
    )
    nulls = dict.fromkeys((*standard, "stream", "stream_options", "max_tokens", "constraints", "seen_titles"))

    assert ChatRequest(**ASKED, **nulls) == ChatRequest(**ASKED)


@pytest.mark.parametrize(
    ("fields", "temperature"),
    [
        ({}, None),
        ({"top_p": 1}, None),
        ({"top_p": 0.5}, 1.0),
        ({"temperature": 0, "top_p": 0.5}, None),
        ({"temperature": 0.7, "top_p": 0.5}, 0.7),
    ],
    ids=["neither", "all", "share alone", "greedy", "both"],
)
def test_a_share_of_the_probability_alone_means_sampling(fields, temperature):
    assert ChatRequest(**ASKED, **fields).drawn_at == temperature
