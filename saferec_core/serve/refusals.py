"""What a request that cannot be answered gets: the reason, in the form that OpenAI clients read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from saferec_core.errors import SaferecError
from saferec_core.serve.desk import BusyError

__all__ = ["LARGEST_REQUEST", "limited", "malformed", "refused", "unanswerable"]

_NO_SUCH_PATH = 404

LARGEST_REQUEST = 64 * 1024
"""Bytes of a request's body."""


async def limited(request: Request, answer: Callable[[Request], Awaitable[Any]]) -> Any:
    """Refuse a body that is too large, or of which nobody says how large it is."""
    if request.method == "POST":
        length = request.headers.get("content-length", "")
        if not length.isdigit():
            return _error(411, "a request needs a content-length")
        if int(length) > LARGEST_REQUEST:
            return _error(413, f"a request may have {LARGEST_REQUEST:,} bytes")
    return await answer(request)


async def refused(_: Request, error: Exception) -> Any:
    """Answer an error of saferec."""
    assert isinstance(error, SaferecError)
    return _error(429 if isinstance(error, BusyError) else 400, str(error))


async def unanswerable(request: Request, error: Exception) -> Any:
    """Answer what the framework refuses, such as a path that does not exist."""
    assert isinstance(error, HTTPException)
    if error.status_code == _NO_SUCH_PATH:
        paths = ", ".join(dict.fromkeys(route.path for route in request.app.routes))
        return _error(_NO_SUCH_PATH, f"{request.url.path} does not exist here; available: {paths}")
    return _error(error.status_code, str(error.detail), error.headers)


async def malformed(request: Request, error: Exception) -> Any:
    """Name everything that is wrong with a body, without repeating what it holds."""
    assert isinstance(error, RequestValidationError)
    kind = request.headers.get("content-type", "")
    if "json" not in kind:
        return _error(
            415, f"the body must be JSON, sent as application/json, but came as {kind or 'nothing'}"
        )
    return _error(422, "; ".join(map(_problem, error.errors())))


def _problem(problem: dict[str, Any]) -> str:
    if problem["type"] == "json_invalid":
        reason = problem.get("ctx", {}).get("error", "")
        return f"the body is not JSON: {reason} at character {problem['loc'][-1]}"
    where = _path(problem["loc"][1:])
    reason = str(problem["msg"]).removeprefix("Value error, ")
    return f"{where or 'the body'}: {reason}"


def _path(parts: Sequence[int | str]) -> str:
    """Write a place as JSON has it, such as ``messages[0].content``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).removeprefix(".")


def _error(status: int, message: str, headers: Mapping[str, str] | None = None) -> Any:
    content = {"error": {"message": message, "type": "saferec", "code": status}}
    return JSONResponse(content, status, headers=headers)
