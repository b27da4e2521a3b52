"""Dialogues as prompts: what the policy is told, within a budget of tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["Message", "PromptWriter"]

Message = dict[str, str]

TASK = (
    "You recommend films. Answer with exactly {count} films that fit the conversation and that the "
    "user has not seen, one per line, written as: Title (Year)"
)
ROLES = {"seeker": "user", "recommender": "assistant"}


@dataclass
class PromptWriter:
    """Writes prompts: the task, the last turns that fit, and the constraint in the user's words."""

    list_length: int
    max_tokens: int
    count_tokens: Callable[[list[Message]], int]
    """Length of messages as the policy will read them."""
    shortened: int = 0
    """Prompts so far that had to leave out a part of the dialogue."""

    def write(self, turns: Sequence[Message], constraint: str | None) -> list[Message]:
        """Turn a dialogue that ends with the seeker into messages.

        Args:
            turns: ``role`` (seeker or recommender) and ``text``; roles alternate.
            constraint: A sentence for the end of the last turn. It is never cut.
        """
        system = {"role": "system", "content": TASK.format(count=self.list_length)}
        messages = [{"role": ROLES[turn["role"]], "content": turn["text"].strip()} for turn in turns]
        dialogue = _from_first_user(messages)  # a greeting says little, and chat templates mind it
        kept = dialogue
        while self._too_long(system, kept, constraint) and len(kept) > 1:
            kept = _from_first_user(kept[1:])
        while self._too_long(system, kept, constraint) and " " in kept[-1]["content"]:
            words = kept[-1]["content"].split()
            kept = [{**kept[-1], "content": " ".join(words[max(1, len(words) // 10) :])}]
        self.shortened += kept != dialogue
        return [system, *_with_constraint(kept, constraint)]

    def _too_long(self, system: Message, dialogue: list[Message], constraint: str | None) -> bool:
        messages = [system, *_with_constraint(dialogue, constraint)]
        return self.count_tokens(messages) > self.max_tokens


def _from_first_user(messages: list[Message]) -> list[Message]:
    """Leave out what the assistant says before the user's first turn."""
    return messages[1:] if messages[0]["role"] == "assistant" else messages


def _with_constraint(dialogue: list[Message], constraint: str | None) -> list[Message]:
    """Let the last turn end with the constraint."""
    if constraint is None:
        return dialogue
    last = dialogue[-1]
    return [*dialogue[:-1], {**last, "content": f"{last['content']}\n{constraint}"}]
