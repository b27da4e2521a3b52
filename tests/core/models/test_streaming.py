"""A completion that is read while it is written."""

import pytest

from saferec_core.config.sections import ModelConfig
from saferec_core.models.completions import Decoding
from saferec_core.models.generation import PolicyGenerator
from saferec_core.models.loading import load_policy
from saferec_core.models.streaming import StreamedCompletion, stream

PROMPT = [{"role": "user", "content": "Something funny"}]
DECODING = Decoding("greedy", max_completion_length=12)


@pytest.fixture(scope="module", params=["model", "pieces"], ids=["one-token-titles", "several-token-titles"])
def policy(request, world):
    return load_policy(str(world / request.param), ModelConfig())


def test_the_pieces_are_the_text_that_is_generated_at_once(policy):
    *pieces, whole = stream(policy, PROMPT, DECODING)
    ((completion,),) = PolicyGenerator(policy)([PROMPT], DECODING)

    assert isinstance(whole, StreamedCompletion)
    assert whole.completion == completion
    assert "".join(pieces) == completion.text
    assert len(pieces) > 1
    assert len(pieces) <= whole.completion_tokens <= 12
    assert whole.prompt_tokens > 0


def test_whoever_stops_reading_stops_the_writing(policy, monkeypatch):
    written = []
    step = type(policy.model).forward

    def counted(self, *args, **kwargs):
        written.append(1)
        return step(self, *args, **kwargs)

    monkeypatch.setattr(type(policy.model), "forward", counted)
    pieces = stream(policy, PROMPT, Decoding("sampled", max_completion_length=2000, temperature=50.0))
    next(pieces)
    pieces.close()

    assert len(written) < 2000


def test_what_goes_wrong_while_writing_is_raised_where_it_is_read(policy, monkeypatch):
    def broken(self, *args, **kwargs):
        raise RuntimeError("out of memory")

    monkeypatch.setattr(type(policy.model), "forward", broken)

    with pytest.raises(RuntimeError, match="out of memory"):
        next(stream(policy, PROMPT, DECODING))
