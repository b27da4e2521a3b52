"""The web app: routes, limits, and what their bodies look like."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.trustedhost import TrustedHostMiddleware
from fastapi.responses import HTMLResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from saferec_core import __version__
from saferec_core.errors import SaferecError
from saferec_core.models.streaming import StreamedCompletion
from saferec_core.pages.environment import asset, environment, safe
from saferec_core.serve.chat import ChatRequest, chat_completion, chat_events
from saferec_core.serve.desk import Desk
from saferec_core.serve.refusals import limited, malformed, refused, unanswerable

__all__ = ["app_of"]

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; "
    "img-src data:"
)


class Wish(BaseModel):
    """What somebody is looking for."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    text: str = Field(min_length=1, max_length=4_000)
    """The wish in words."""
    constraints: list[str] = Field(default=[], max_length=50)
    """Traits of which nothing must be shown."""
    seen: list[str] = Field(default=[], max_length=1_000)
    """Titles that must not come back, such as "Saw (2004)"."""
    guided: bool = True
    """Whether only titles can be written that the user may be shown."""
    temperature: float | None = Field(default=None, gt=0, le=5)
    """Samples at this temperature; null: the most likely list."""


class _Routes:
    """What each route answers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._page = environment("saferec_core.serve").get_template("page.html")

    def page(self) -> HTMLResponse:
        """Return the page."""
        desk = self._desk
        text = self._page.render(
            policy=desk.policy,
            traits=desk.traits,
            num_titles=desk.guided.num_titles,
            consumed=desk.consumed,
            example=desk.guided.judge.catalog.titles[0],
            security=_POLICY,
            own_style=safe(asset("saferec_core.serve", "page.css")),
            script=safe(asset("saferec_core.serve", "page.js")),
        )
        return HTMLResponse(text, headers={"Content-Security-Policy": _POLICY, "X-Frame-Options": "DENY"})

    def about(self) -> dict[str, Any]:
        """Name the policy, the length of its lists and the constraints that can be judged."""
        desk = self._desk
        return {
            "policy": desk.policy,
            "num_titles": desk.guided.num_titles,
            "constraints": desk.traits,
            "titles": len(desk.guided.judge.catalog),
        }

    def recommend(self, wish: Wish) -> dict[str, Any]:
        """Return one list, with a verdict and its evidence for every title."""
        record = self._desk.record(wish.text, wish.constraints, wish.seen)
        return self._desk.ask(record, guided=wish.guided, temperature=wish.temperature).as_data()

    def compare(self, wish: Wish) -> StreamingResponse:
        """Send both lists, guided first, in lines of JSON: what is written so far, then the judged list."""
        record = self._desk.record(wish.text, wish.constraints, wish.seen)

        def lines() -> Iterator[str]:
            for kind in ("guided", "free"):
                text = ""
                try:
                    guided = kind == "guided"
                    for piece in self._desk.watch(record, guided=guided, temperature=wish.temperature):
                        if isinstance(piece, str):
                            text += piece
                            yield json.dumps({"kind": kind, "text": text}, ensure_ascii=False) + "\n"
                        else:
                            yield json.dumps({"kind": kind, **piece.as_data()}, ensure_ascii=False) + "\n"
                except SaferecError as error:
                    yield json.dumps({"kind": kind, "error": str(error)}) + "\n"

        return StreamingResponse(lines(), media_type="application/x-ndjson")

    def models(self) -> dict[str, Any]:
        """List the one model, as OpenAI's interface does."""
        model = {"id": self._desk.policy, "object": "model", "created": 0, "owned_by": "saferec"}
        return {"object": "list", "data": [model]}

    def chat(self, request: ChatRequest) -> Any:
        """Complete a conversation with a guided list, as OpenAI's interface does."""
        messages = [message.as_message() for message in request.messages]
        record = self._desk.conversation(messages, request.constraints, request.seen_titles)
        pieces = self._desk.stream(
            record, temperature=request.drawn_at, top_p=request.top_p, seed=request.seed
        )
        first = next(pieces)  # what cannot be answered is refused before anything is sent
        whole = chain([first], pieces)
        if request.stream:
            options = request.stream_options
            usage = options is not None and options.include_usage
            events = chat_events(whole, self._desk.policy, include_usage=usage)
            return StreamingResponse(events, media_type="text/event-stream")
        *_, streamed = whole
        assert isinstance(streamed, StreamedCompletion)
        return chat_completion(streamed, self._desk.policy)


def app_of(desk: Desk, *, hosts: list[str]) -> Any:
    """Return the app, an ASGI application; ``/docs`` is off, ``/openapi.json`` describes the endpoints.

    Args:
        desk: Answers.
        hosts: Names that a browser may call this server by; any other is refused, so that no page of the
            web can reach it through a name of its own.
    """
    app: Any = FastAPI(
        title="saferec",
        version=__version__,
        summary="Recommendations of a policy, with verdicts.",
        docs_url=None,
        redoc_url=None,
    )
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=hosts)
    app.middleware("http")(limited)
    app.add_exception_handler(SaferecError, refused)
    app.add_exception_handler(RequestValidationError, malformed)
    app.add_exception_handler(HTTPException, unanswerable)
    routes = _Routes(desk)
    app.add_api_route(
        "/", routes.page, methods=["GET", "HEAD"], response_class=HTMLResponse, include_in_schema=False
    )
    app.add_api_route("/api/about", routes.about)
    app.add_api_route("/api/recommend", routes.recommend, methods=["POST"])
    app.add_api_route("/api/compare", routes.compare, methods=["POST"])
    app.add_api_route("/v1/models", routes.models)
    app.add_api_route("/v1/chat/completions", routes.chat, methods=["POST"], response_model=None)
    return app
