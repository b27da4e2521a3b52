"""Records as the policy reads them, and what looks wrong with them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from saferec_core.data.constraint_sentences import STATED, stated_in
from saferec_core.data.records import Message, Record
from saferec_core.errors import DataError, SaferecError
from saferec_core.plugins.contracts.judge import Judge
from saferec_core.plugins.contracts.parser import ListParser, ParsedList, parse

__all__ = ["RecordProblem", "RecordReader", "RecordView", "check_records"]

_SHOWN = 3
"""Titles that a problem spells out."""


@dataclass(frozen=True)
class RecordView:
    """A record as the policy reads it."""

    prompt: str
    """The prompt by the chat template, up to where the policy's own turn begins."""
    completion: str
    """What Safe SFT computes the loss of: the completion by the chat template; empty without one."""
    prompt_tokens: tuple[str, ...]
    completion_tokens: tuple[str, ...]
    """The tokens that carry loss, each as the text that it stands for."""


@dataclass(frozen=True)
class RecordProblem:
    """What looks wrong with a record."""

    kind: str
    """A sentence that is the same for all records with this problem."""
    detail: str = ""
    """What it is about in this record."""
    forbids_training: bool = False
    """Whether a policy that is trained on the record learns something else than it says."""

    def __str__(self) -> str:
        """Return the whole sentence."""
        return f"{self.kind}: {self.detail}" if self.detail else self.kind


@dataclass(frozen=True)
class RecordReader:
    """Reads records with a policy's tokenizer."""

    tokenizer: Any
    end_ids: frozenset[int]
    """Tokens that end a completion."""
    parser: ListParser
    judge: Judge | None = None
    """Has the catalog that target titles are looked up in; None: they are not."""
    max_length: int | None = None
    """Tokens that the prompt, or prompt and completion together, may have; None: any number."""

    def view(self, record: Record) -> RecordView:
        """Apply the chat template and count tokens.

        Raises:
            DataError: The template refuses the conversation; the message names the cause.
        """
        prompt = _written(self.tokenizer, record.prompt, add_generation_prompt=True)
        completion = ""
        if record.completion:
            whole = _written(
                self.tokenizer, [*record.prompt, *record.completion], add_generation_prompt=False
            )
            if not whole.startswith(prompt):
                raise DataError(
                    "the chat template writes the prompt differently once a completion follows, so that the "
                    "loss cannot be limited to the completion"
                )
            completion = whole[len(prompt) :]
        ids = self.tokenizer([prompt, completion], add_special_tokens=False)["input_ids"]
        texts = [tuple(self.tokenizer.decode([token]) for token in tokens) for tokens in ids]
        return RecordView(prompt, completion, texts[0], texts[1])

    def target(self, record: Record) -> ParsedList:
        """Return the list that the completion holds."""
        text = "".join(message["content"] for message in record.completion or ())
        return parse(self.parser, text)

    def problems(self, record: Record) -> list[RecordProblem]:
        """Return what looks wrong with a record."""
        of_roles = list(_problems_of_roles(record.prompt))
        try:
            view = self.view(record)
        except DataError as error:
            return [*of_roles, RecordProblem(str(error), forbids_training=True)]
        return [
            *of_roles,
            *self._problems_of_text(record, view),
            *_unstated(record),
            *self._problems_of_target(record),
        ]

    def _problems_of_text(self, record: Record, view: RecordView) -> Iterator[RecordProblem]:
        for message in record.prompt:
            if message["role"] == "system" and message["content"].strip() not in view.prompt:
                yield RecordProblem("the chat template leaves the system message out")
        length = len(view.prompt_tokens) + len(view.completion_tokens)
        if self.max_length is not None and length > self.max_length:
            what = "prompt and completion exceed" if record.completion else "the prompt exceeds"
            yield RecordProblem(f"{what} the limit of {self.max_length} tokens", f"{length} tokens")
        if not record.completion:
            return
        if not view.completion_tokens:
            yield RecordProblem(
                "the chat template leaves the completion out, so that no token carries loss",
                forbids_training=True,
            )
            return
        ids = self.tokenizer(view.completion, add_special_tokens=False)["input_ids"]
        if not self.end_ids.intersection(ids):
            yield RecordProblem(
                "no token that ends a completion follows it, so that the policy does not learn to stop",
                f"the chat template ends turns with {view.completion.strip()[-40:]!r}",
            )

    def _problems_of_target(self, record: Record) -> Iterator[RecordProblem]:
        if not record.completion:
            return
        items = self.target(record).items
        if not items:
            yield RecordProblem("the parser reads no title in the completion")
        if self.judge is None:
            return
        find = self.judge.catalog.find
        missing = [str(item.title) for item in items if find(item.name, item.year) is None]
        if missing:
            more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
            yield RecordProblem(
                "target titles are not in the catalog", f"{', '.join(missing[:_SHOWN])}{more}"
            )


def check_records(
    reader: RecordReader, records: Sequence[Record], source: object, warn: Callable[[str], None]
) -> None:
    """Check records before anything is trained on them.

    Args:
        reader: Reads them as the policy will.
        records: The first of those that the policy will be trained on.
        source: What the records are called.
        warn: Called with a sentence for each kind of problem that training can live with.

    Raises:
        DataError: A policy cannot learn what some records say; the message names each kind of problem.
    """
    by_kind: dict[str, list[tuple[int, RecordProblem]]] = defaultdict(list)
    for number, record in enumerate(records, start=1):
        for problem in reader.problems(record):
            by_kind[problem.kind].append((number, problem))
    firsts = [problems[0] for problems in by_kind.values()]
    if wrong := [f"{source}, record {n}: {first}" for n, first in firsts if first.forbids_training]:
        raise DataError("\n".join(wrong))
    for number, first in firsts:
        having = len({record for record, _ in by_kind[first.kind]})
        warn(f"In {having} of the first {len(records)} records of {source}: {first} (record {number}).")


def _written(tokenizer: Any, messages: Sequence[Message], *, add_generation_prompt: bool) -> str:
    conversation = [dict(message) for message in messages]
    try:
        return str(_apply(tokenizer, conversation, add_generation_prompt))
    except Exception as error:  # templates raise what they like
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        without = [message for message in conversation if message["role"] != "system"]
        if len(without) < len(conversation) and _accepts(tokenizer, without, add_generation_prompt):
            raise DataError(
                f"the chat template refuses the role 'system' ({reason}); --system merge puts its text in "
                "front of the user's first turn"
            ) from error
        roles = ", ".join(message["role"] for message in conversation)
        raise DataError(f"the chat template refuses the roles {roles}: {reason}") from error


def _accepts(tokenizer: Any, conversation: list[dict[str, str]], add_generation_prompt: bool) -> bool:
    with suppress(Exception):  # as above
        _apply(tokenizer, conversation, add_generation_prompt)
        return True
    return False


def _apply(tokenizer: Any, conversation: list[dict[str, str]], add_generation_prompt: bool) -> Any:
    return tokenizer.apply_chat_template(
        conversation, add_generation_prompt=add_generation_prompt, tokenize=False
    )


def _problems_of_roles(prompt: Sequence[Message]) -> Iterator[RecordProblem]:
    roles = [message["role"] for message in prompt]
    turns = [role for role in roles if role != "system"]
    if "system" in roles[1:]:
        yield RecordProblem("a system message is not the first message")
    if turns[:1] == ["assistant"]:
        yield RecordProblem("the conversation starts with the assistant")
    for one, other in pairwise(turns):
        if one == other:
            yield RecordProblem(f"two turns of the {one} follow each other")
            break
    if turns[-1:] != ["user"]:
        yield RecordProblem("the prompt does not end with a turn of the user")


def _unstated(record: Record) -> Iterator[RecordProblem]:
    """Yield what constraints the prompt does not state, if the record says how they are stated."""
    if record.columns.get(STATED) is None:
        return
    try:
        sentences = dict(stated_in(record.columns))  # type: ignore[arg-type] # reads, and nothing else
    except SaferecError as error:
        yield RecordProblem(str(error))
        return
    text = "\n".join(message["content"] for message in record.prompt)
    for trait in record.constraints:
        if trait not in sentences:
            yield RecordProblem(f"column {STATED} has no sentence that states a constraint", trait)
        elif sentences[trait].strip() not in text:
            yield RecordProblem("the prompt lacks the sentence that states a constraint", trait)
