"""Chat completions as OpenAI's interface has them, for the guided policy."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any, Literal
from uuid import uuid4

from pydantic import BaseModel, Field

from saferec_core.recommendation.recommender import Recommendation

__all__ = ["ChatRequest", "chat_completion", "chat_events"]


class ChatMessage(BaseModel):
    """One turn."""

    role: Literal["system", "user", "assistant"]
    content: str = Field(max_length=20_000)


class ChatRequest(BaseModel):
    """A conversation to complete; fields of OpenAI's interface that mean nothing here are ignored."""

    model: str = ""
    messages: list[ChatMessage] = Field(min_length=1, max_length=200)
    temperature: float | None = Field(default=None, ge=0, le=5)
    stream: bool = False
    constraints: list[str] = Field(default=[], max_length=50)
    """Traits of which nothing must be shown; clients send them as an extra field of the body."""
    seen_titles: list[str] = Field(default=[], max_length=1_000)
    """Titles that must not come back, likewise."""


def chat_completion(recommendation: Recommendation, model: str) -> dict[str, Any]:
    """Return the whole completion."""
    message = {"role": "assistant", "content": recommendation.completion}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    return {**_head("chat.completion", model), "choices": [choice], "usage": usage}


def chat_events(recommendation: Recommendation, model: str) -> Iterator[str]:
    """Yield the completion line by line, as server-sent events."""
    head = _head("chat.completion.chunk", model)
    yield _event(head, {"role": "assistant", "content": ""})
    for line in recommendation.completion.splitlines(keepends=True):
        yield _event(head, {"content": line})
    yield _event(head, {}, finish="stop")
    yield "data: [DONE]\n\n"


def _head(kind: str, model: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{uuid4().hex}", "object": kind, "created": int(time.time()), "model": model}


def _event(head: dict[str, Any], delta: dict[str, str], finish: str | None = None) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return f"data: {json.dumps({**head, 'choices': [choice]}, ensure_ascii=False)}\n\n"
