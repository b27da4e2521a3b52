"""What is asked of whatever writes completions, be it a model, an engine, a service or a script."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from saferec_core.data.records import Message

if TYPE_CHECKING:
    from saferec_core.models.guided.guiding import Guiding

__all__ = ["Completion", "CompletionGenerator", "Decoding", "Progress", "is_cut_off"]

_CUT_OFF = frozenset(["length", "max_tokens"])


def is_cut_off(finish_reason: object) -> bool:
    """Tell whether a completion ends where its tokens ran out, as endpoints say it."""
    return str(finish_reason).lower() in _CUT_OFF


@dataclass(frozen=True)
class Decoding:
    """How completions are drawn; nothing is taken over from a checkpoint's own settings."""

    kind: Literal["greedy", "sampled"]
    max_completion_length: int
    """Tokens after which a completion is cut off."""
    temperature: float = 1.0
    top_p: float = 1.0
    samples: int = 1
    """Completions per prompt; 1 if greedy."""
    batch_size: int = 32
    seed: int = 0

    @property
    def completions(self) -> int:
        """How many completions a prompt gets."""
        return self.samples if self.kind == "sampled" else 1


class Completion(NamedTuple):
    """What was written to a prompt."""

    text: str
    """Without special tokens."""
    finished: bool
    """Whether it ended on its own, instead of being cut off."""


Progress = Callable[[int], None]
"""Called with the number of prompts done so far."""


class CompletionGenerator(Protocol):
    """Turns prompts into completions: a model, an engine, or a script."""

    def __call__(
        self,
        prompts: Sequence[Sequence[Message]],
        decoding: Decoding,
        *,
        guiding: Guiding | None = None,
        progress: Progress | None = None,
    ) -> list[list[Completion]]:
        """Return, for each prompt in order, as many completions as *decoding* says.

        With *guiding*, only lists of titles that the user of each prompt may be shown are written, and
        the length limit of *decoding* does not apply.
        """
        ...
