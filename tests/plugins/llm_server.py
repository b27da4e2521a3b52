"""A language model's server to ask in tests: real HTTP on this machine, as good or bad as a test wants.

It speaks the part of OpenAI's protocol that saferec uses, ``POST /v1/chat/completions``. Unless a test
says otherwise it names one trait, which depends on the question alone::

    with LlmServer() as server:
        server.script("Saw", too_many_requests(), html())  # for questions that mention Saw: these first
        ...
        assert server.asked("Saw") == 3
"""

from __future__ import annotations

import json
import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

TOKENS_IN, TOKENS_OUT = 100, 10
"""What every completion says that it has used."""


@dataclass(frozen=True)
class Sent:
    """What the server sends back."""

    body: bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    wait: float = 0
    """Seconds before it is sent."""
    cut: bool = False
    """Whether the connection is closed half-way."""


@dataclass(frozen=True)
class Asked:
    """What came in."""

    headers: dict[str, str]
    """With names in lower case."""
    body: dict[str, Any]

    @property
    def question(self) -> str:
        """The user's turn."""
        return str(self.body["messages"][-1]["content"])


def completion(content: str | None, **more: Any) -> Sent:
    """A completion that says *content*; *more* goes into its message."""
    message = {"role": "assistant", "content": content, **more}
    return as_json(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 0,
            "model": "test",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {
                "prompt_tokens": TOKENS_IN,
                "completion_tokens": TOKENS_OUT,
                "total_tokens": TOKENS_IN + TOKENS_OUT,
            },
        }
    )


def assigning(*traits: str, why: str = "as they say") -> Sent:
    """A completion that assigns *traits*."""
    return completion(json.dumps({"traits": [{"trait": trait, "why": why} for trait in traits]}))


def as_json(content: Any, status: int = 200, **headers: str) -> Sent:
    """Any JSON."""
    return Sent(json.dumps(content).encode(), status, {"content-type": "application/json", **headers})


def failing(status: int, message: str = "no", **error: Any) -> Sent:
    """An error as OpenAI words it; a client that asks again is told to do so at once."""
    pause = {"retry-after": "0", "retry-after-ms": "1"}
    return as_json({"error": {"message": message, **error}}, status, **pause)


def stalling(seconds: float) -> Sent:
    """A good answer that comes too late."""
    return Sent(assigning().body, wait=seconds)


def html() -> Sent:
    """What a proxy says."""
    return Sent(b"<html><body>Welcome to the hotel</body></html>", headers={"content-type": "text/html"})


class LlmServer:
    """Runs the server in threads of this process while it is entered."""

    def __init__(self, answer: Callable[[Asked], Sent] | None = None, *, delay: float = 0) -> None:
        """Prepare a server.

        Args:
            answer: Answers where no script does; if not given, a trait is assigned that the question
                determines.
            delay: Seconds that each answer takes.
        """
        self.requests: list[Asked] = []
        self.most_in_flight = 0
        self._answer = answer or one_trait
        self._delay = delay
        self._scripts: dict[str, list[Sent]] = {}
        self._in_flight = 0
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def base_url(self) -> str:
        """What to give as base_url."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def script(self, mentions: str, *sent: Sent) -> None:
        """Answer questions that mention a word with *sent*, one after the other, then as usual."""
        self._scripts.setdefault(mentions, []).extend(sent)

    def asked(self, mentions: str = "") -> int:
        """Tell how many requests mentioned a word, retries included."""
        return sum(mentions in request.question for request in self.requests)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def respond(self, asked: Asked) -> Sent:
        """Note a request down and answer it."""
        with self._lock:
            self.requests.append(asked)
            self._in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self._in_flight)
            script = next(
                (sent for word, sent in self._scripts.items() if sent and word in asked.question), None
            )
            sent = script.pop(0) if script else self._answer(asked)
        self._closing.wait(self._delay + sent.wait)
        with self._lock:
            self._in_flight -= 1
        return sent


def one_trait(asked: Asked) -> Sent:
    """Assign one of the traits that the schema lists, the same whenever the question is the same."""
    schema = asked.body["response_format"]["json_schema"]["schema"]
    names = schema["properties"]["traits"]["items"]["properties"]["trait"]["enum"]
    return assigning(names[zlib.crc32(asked.question.encode()) % len(names)])


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that was killed or has lost its patience hangs up."""


def _handler(server: LlmServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if self.path != "/v1/chat/completions":
                self.send(failing(404))
                return
            self.send(
                server.respond(Asked({name.lower(): value for name, value in self.headers.items()}, body))
            )

        def send(self, sent: Sent) -> None:
            self.send_response(sent.status)
            for name, value in sent.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(sent.body)))
            self.end_headers()
            self.wfile.write(sent.body[: len(sent.body) // 2] if sent.cut else sent.body)
            self.close_connection = sent.cut

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as the base has it
            """Say nothing."""

    return Handler
