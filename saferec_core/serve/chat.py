"""Chat completions as OpenAI's interface has them, for the guided policy."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal, Self
from uuid import uuid4

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from saferec_core.data.records import Message
from saferec_core.errors import SaferecError
from saferec_core.models.streaming import StreamedCompletion

__all__ = ["ChatRequest", "chat_completion", "chat_events"]


_NULL_IS_EMPTY = BeforeValidator(lambda value: [] if value is None else value)


class TextPart(BaseModel):
    """A part of a turn, as clients send them that can also send images."""

    type: Literal["text"]
    text: str = Field(max_length=20_000)


class ChatMessage(BaseModel):
    """One turn."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[str, Field(max_length=20_000)] | list[TextPart]

    def as_message(self) -> Message:
        """Return it as records have it."""
        parts = self.content
        text = parts if isinstance(parts, str) else "".join(part.text for part in parts)
        return {"role": "system" if self.role == "developer" else self.role, "content": text}


class StreamOptions(BaseModel):
    """What a stream ends with."""

    include_usage: bool = False


class ChatRequest(BaseModel):
    """A conversation to complete.

    Fields of OpenAI's interface that change nothing about a guided list, such as ``max_tokens``, are ignored;
    what the client would miss in the answer is refused.
    """

    model: str = ""
    messages: list[ChatMessage] = Field(min_length=1, max_length=200)
    temperature: float | None = Field(default=None, ge=0, le=5)
    """Samples above 0; at 1 if *top_p* alone is given, else the list is the most likely one."""
    top_p: float | None = Field(default=None, ge=0, le=1)
    """Draws from the most likely tokens alone that together have this probability."""
    seed: int | None = None
    """Samples the same list again, at a temperature above 0."""
    n: int | None = None
    stop: str | list[str] | None = None
    logprobs: bool | None = None
    response_format: dict[str, Any] | None = None
    tool_choice: str | dict[str, Any] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    constraints: Annotated[list[str], Field(max_length=50), _NULL_IS_EMPTY] = []
    """Traits of which nothing must be shown; clients send them as an extra field of the body."""
    seen_titles: Annotated[list[str], Field(max_length=1_000), _NULL_IS_EMPTY] = []
    """Titles that must not come back, likewise."""

    @property
    def drawn_at(self) -> float | None:
        """The temperature to sample at; None for the most likely list."""
        if self.temperature is None:
            return 1.0 if self.top_p is not None and self.top_p < 1 else None
        return self.temperature or None

    @model_validator(mode="after")
    def _can_be_answered(self) -> Self:
        impossible = []
        if self.n not in {None, 1}:
            impossible.append(f"n = {self.n} is not possible: one list a request")
        if self.stop:
            impossible.append("stop is not possible: a guided list ends by itself")
        if self.logprobs:
            impossible.append("logprobs are not computed")
        if self.response_format and self.response_format.get("type", "text") != "text":
            impossible.append("response_format is not possible: a list is written as its parser reads it")
        if self.tool_choice == "required" or isinstance(self.tool_choice, dict):
            impossible.append("tool_choice is not possible: a policy calls no tools")
        if impossible:
            raise ValueError("; ".join(impossible))
        return self


def chat_completion(streamed: StreamedCompletion, model: str) -> dict[str, Any]:
    """Return the whole completion."""
    message = {"role": "assistant", "content": streamed.completion.text}
    choice = {"index": 0, "message": message, "finish_reason": _finish(streamed)}
    return {**_head("chat.completion", model), "choices": [choice], "usage": _usage(streamed)}


def chat_events(
    pieces: Iterable[str | StreamedCompletion], model: str, *, include_usage: bool
) -> Iterator[str]:
    """Yield the completion piece by piece as it is written, as server-sent events.

    Args:
        pieces: Pieces of text as `saferec_core.models.streaming.stream` yields them.
        model: What to call the policy.
        include_usage: Whether the last event says how many tokens were read and written.
    """
    head = _head("chat.completion.chunk", model)
    yield _event(head, [_choice({"role": "assistant", "content": ""})])
    try:
        for piece in pieces:
            if isinstance(piece, str):
                yield _event(head, [_choice({"content": piece})])
                continue
            yield _event(head, [_choice({}, finish=_finish(piece))])
            if include_usage:
                yield _event({**head, "usage": _usage(piece)}, [])
    except SaferecError as error:
        yield f"data: {json.dumps({'error': {'message': str(error), 'type': 'saferec'}})}\n\n"
        return
    yield "data: [DONE]\n\n"


def _finish(streamed: StreamedCompletion) -> str:
    return "stop" if streamed.completion.finished else "length"


def _usage(streamed: StreamedCompletion) -> dict[str, int]:
    read, written = streamed.prompt_tokens, streamed.completion_tokens
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def _head(kind: str, model: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{uuid4().hex}", "object": kind, "created": int(time.time()), "model": model}


def _choice(delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish}


def _event(head: dict[str, Any], choices: list[dict[str, Any]]) -> str:
    return f"data: {json.dumps({**head, 'choices': choices}, ensure_ascii=False)}\n\n"
