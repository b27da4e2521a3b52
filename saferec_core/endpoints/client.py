"""Asks a model through the openai client, and distinguishes unusable answers from server failures."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field, ValidationError

from saferec_core.endpoints.endpoint import Endpoint
from saferec_core.errors import ConfigError, RunError, SaferecError

if TYPE_CHECKING:
    import openai

__all__ = ["Client", "ModelAnswer", "NoAnswer", "connected", "quoted"]

_QUOTED = 80
_BYTES_PER_TOKEN = 3
"""Fewer than there are in most texts, so that an estimated cost is rather too high."""
_MOST_TOKENS = 10**12
_BROKEN_OFF = {"ReadError", "WriteError", "CloseError", "RemoteProtocolError", "DecodingError"}
"""What httpx calls a connection that was there; every other failure to connect is the server's."""
_LOGGERS = ("openai", "httpx", "httpx2", "httpcore", "httpcore2")


@dataclass(frozen=True)
class ModelAnswer:
    """What a model said and what it used; it has been paid for, whatever it says."""

    content: str | None
    refusal: str | None
    finish_reason: str | None
    tokens_in: int
    tokens_out: int


@dataclass(frozen=True)
class NoAnswer:
    """Why this one question has no answer; another one may well have."""

    reason: str


@asynccontextmanager
async def connected(
    endpoint: Endpoint, model: str, parameters: Mapping[str, Any], *, seconds: float, max_retries: int
) -> AsyncIterator[Client]:
    """Open a client for one model, and close it.

    Args:
        endpoint: Where to ask.
        model: The model's name.
        parameters: What else is sent with each question, such as the temperature.
        seconds: How long to wait for an answer before asking again.
        max_retries: How often a question is asked again, with growing pauses or as the server says.

    Raises:
        ConfigError: The openai client is not installed.
    """
    try:
        import openai
    except ImportError:
        raise ConfigError("asking a model needs the openai client: pip install 'saferec[data]'") from None
    with _muted():
        async with openai.AsyncOpenAI(
            api_key=endpoint.sent_key,
            base_url=endpoint.base_url,
            timeout=seconds,
            max_retries=max_retries,
        ) as client:
            yield Client(client, endpoint, model, parameters)


@dataclass(frozen=True)
class Client:
    """Asks one model at one endpoint."""

    _openai: openai.AsyncOpenAI
    _endpoint: Endpoint
    _model: str
    _parameters: Mapping[str, Any]

    async def ask(self, messages: Sequence[Mapping[str, str]]) -> ModelAnswer | NoAnswer | SaferecError:
        """Ask one question.

        What fails is returned, not raised: the client's exceptions hold the request with its key, and
        an error that is raised while one of them is handled would keep it.

        Returns:
            The answer; why there is none; or an error that must stop the run, since every other
            question would meet it too.
        """
        import openai

        completions: Any = self._openai.chat.completions.with_raw_response
        try:
            raw = await completions.create(model=self._model, messages=list(messages), **self._parameters)
        except openai.APIStatusError as error:
            return self._refused(error.status_code, error.code, error.body)
        except openai.APITimeoutError as error:
            if type(error.__cause__).__name__ == "ConnectTimeout":
                return self._unreachable()
            return NoAnswer(
                f"no answer from {self._endpoint.base_url} in {self._openai.timeout:g} s {self._tries()}"
            )
        except openai.APIConnectionError as error:
            if type(error.__cause__).__name__ in _BROKEN_OFF:
                return NoAnswer(f"the connection to {self._endpoint.base_url} broke off {self._tries()}")
            return self._unreachable()
        return self._read(raw.content, messages)

    def _read(self, body: bytes, messages: Sequence[Mapping[str, str]]) -> ModelAnswer | NoAnswer:
        """Read a completion leniently: a server that leaves out the usage is still of use."""
        try:
            completion = _Completion.model_validate_json(body)
        except ValidationError:
            text = self._endpoint.without_key(body[: 10 * _QUOTED].decode("utf-8", "replace"))
            return NoAnswer(f"the server did not send a completion, but {quoted(text)}")
        choice, usage = completion.choices[0], completion.usage or _Usage()
        content, refusal = choice.message.content, choice.message.refusal
        asked = sum(len(message["content"].encode()) for message in messages)
        answered = len((content or "").encode())
        return ModelAnswer(
            content=None if content is None else self._endpoint.without_key(content),
            refusal=None if refusal is None else self._endpoint.without_key(refusal),
            finish_reason=choice.finish_reason,
            tokens_in=_estimated(asked) if usage.prompt_tokens is None else usage.prompt_tokens,
            tokens_out=_estimated(answered) if usage.completion_tokens is None else usage.completion_tokens,
        )

    def _refused(self, status: int, code: str | None, body: object) -> NoAnswer | SaferecError:
        """Return an error with what to check, without words of the server that may contain the key."""
        where, variable = self._endpoint.base_url, self._endpoint.key_variable
        if status in {401, 403}:
            state = "check its key" if self._endpoint.key else "it is not set"
            return ConfigError(
                f"{where} refuses access (status {status}): check the environment variable {variable} "
                f"({state}), base_url, and whether the key may use model {self._model!r}"
            )
        if status == 404:
            return ConfigError(
                f"{where} does not know model {self._model!r}, or is not the address of the service "
                f"(status 404): check model and base_url, which often ends in /v1"
            )
        if status == 402 or code == "insufficient_quota":
            return RunError(
                f"{where} requires payment (status {status}): the account of {variable} has no credit "
                "left. The answers so far are kept; run the same command again to continue"
            )
        if status in {408, 409, 429} or status >= 500:
            return NoAnswer(f"{where} answers with status {status} {self._tries()}")
        message = body.get("message") if isinstance(body, dict) else body
        message = quoted(self._endpoint.without_key(str(message or "")))
        return NoAnswer(
            f"{where} refuses the question (status {status}): {message}. If it refuses all questions, check "
            "whether it supports response_format and temperature"
        )

    def _unreachable(self) -> RunError:
        return RunError(
            f"{self._endpoint.base_url} cannot be reached {self._tries()}: check base_url and the network. "
            "The answers so far are kept; run the same command again to continue"
        )

    def _tries(self) -> str:
        """Servers may forbid a further try, so that the number is only the most there can have been."""
        retries = self._openai.max_retries
        return f"(in up to {retries + 1} tries)" if retries else "(tried once)"


def quoted(text: str) -> str:
    """Quote the beginning of *text*, for an error."""
    text = " ".join(text.split())
    if not text:
        return "nothing"
    return repr(text if len(text) <= _QUOTED else f"{text[: _QUOTED - 3]}...")


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: int | None = Field(default=None, ge=0, le=_MOST_TOKENS)
    completion_tokens: int | None = Field(default=None, ge=0, le=_MOST_TOKENS)


class _Completion(BaseModel):
    choices: list[_Choice] = Field(min_length=1)
    usage: _Usage | None = None


def _estimated(size: int) -> int:
    return -(-size // _BYTES_PER_TOKEN)


@contextmanager
def _muted() -> Iterator[None]:
    """Silence what would log requests; their headers hold the key."""
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(max(level, logging.WARNING))
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
