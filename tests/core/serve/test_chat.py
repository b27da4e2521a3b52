"""Chat requests as clients send them."""

import pytest

pytest.importorskip("fastapi", reason="needs saferec[serve]")

from saferec_core.serve.chat import ChatRequest

ASKED = {"model": "policy", "messages": [{"role": "user", "content": "Something funny"}]}


def test_fields_that_a_client_sends_as_null_are_as_good_as_left_out():
    standard = ("temperature", "seed", "n", "stop", "logprobs", "response_format", "tool_choice", "tools")
    nulls = dict.fromkeys((*standard, "stream", "stream_options", "max_tokens", "constraints", "seen_titles"))

    assert ChatRequest(**ASKED, **nulls) == ChatRequest(**ASKED)
