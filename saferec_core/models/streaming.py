"""One completion, handed out piece by piece while it is written."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from queue import SimpleQueue

from saferec_core.data.records import Message
from saferec_core.models.completions import Completion, Decoding
from saferec_core.models.decoding import TokenAligner
from saferec_core.models.generation import generate, prompt_tokens
from saferec_core.models.guided.guiding import Guiding
from saferec_core.models.loading import Policy

__all__ = ["StreamedCompletion", "stream"]


@dataclass(frozen=True)
class StreamedCompletion:
    """A completion that has been handed out, and what it took."""

    completion: Completion
    prompt_tokens: int
    """Tokens that the policy read."""
    completion_tokens: int
    """Tokens that it wrote, the one that ends the completion included."""


class _StoppedError(Exception):
    """Nobody reads any further."""


def stream(
    policy: Policy, prompt: Sequence[Message], decoding: Decoding, guiding: Guiding | None = None
) -> Generator[str | StreamedCompletion, None, None]:
    """Yield the text of one completion in pieces, each as soon as it is written, then the whole.

    The pieces together are the completion's text. Closing the iterator ends the generation.

    Args:
        policy: The model and its tokenizer.
        prompt: A conversation that ends where the policy's turn begins.
        decoding: How to draw; one completion.
        guiding: What the list may hold; None: anything may be written.
    """
    queue: SimpleQueue[int | Exception | None] = SimpleQueue()
    stopped = threading.Event()

    def take(token: int) -> None:
        if stopped.is_set():
            raise _StoppedError
        queue.put(token)

    def write() -> None:
        try:
            generate(policy, [prompt], decoding, guiding=guiding, on_token=take)
            queue.put(None)
        except _StoppedError:
            pass
        except Exception as error:  # noqa: BLE001 - raised again where the pieces are read
            queue.put(error)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    try:
        completion, written = yield from _pieces(policy, queue)
        read = prompt_tokens(policy, prompt, decoding, guiding)
        yield StreamedCompletion(completion, read, written)
    finally:
        stopped.set()
        writer.join()


def _pieces(
    policy: Policy, queue: SimpleQueue[int | Exception | None]
) -> Generator[str, None, tuple[Completion, int]]:
    """Yield the text in pieces; return all of it, with the number of its tokens."""
    aligner = TokenAligner(policy.tokenizer)
    ids: list[int] = []
    text = ""
    while (token := queue.get()) is not None:
        if isinstance(token, Exception):
            raise token
        ids.append(token)
        longer = aligner.decode(ids)[0]  # text whose last character is complete; it only ever grows
        if piece := longer[len(text) :]:
            yield piece
        text = longer
    finished = bool(ids) and ids[-1] in policy.end_ids
    return Completion(text, finished), len(ids)
