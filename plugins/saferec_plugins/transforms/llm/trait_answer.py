"""Reads and validates the traits in a model's answer."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from saferec_core.endpoints.client import ModelAnswer, quoted
from saferec_core.errors import near_misses

__all__ = ["AssignedTrait", "UnusableAnswerError", "answer_as", "assigned_traits"]

FormT = TypeVar("FormT", bound=BaseModel)

_DECORATED = re.compile(
    r"\s*(?:<think>.*?</think>\s*)?(?:```(?:json)?\s*\n(.*?)\n?\s*```|(.*?))\s*", re.DOTALL
)
"""Some models think aloud first, and many put JSON into a fence."""


class AssignedTrait(BaseModel):
    """A trait and what speaks for it."""

    model_config = ConfigDict(str_strip_whitespace=True)

    trait: str
    why: str


class UnusableAnswerError(ValueError):
    """The answer cannot be used; the message names the reason and quotes its beginning."""


def assigned_traits(answer: ModelAnswer, known: Collection[str], at_most: int) -> list[AssignedTrait]:
    """Read an answer.

    Args:
        answer: The answer of the model.
        known: Names of the traits that it could choose from.
        at_most: How many it was allowed to choose.

    Returns:
        The traits by name, each once; none is a valid answer.

    Raises:
        UnusableAnswerError: It is not in the requested form.
    """
    answered = answer_as(_Answered, answer)
    by_name = {assigned.trait: assigned for assigned in reversed(answered.traits)}  # the first one counts
    for name in by_name:
        if name not in known:
            raise UnusableAnswerError(
                f"the answer names an unknown trait {quoted(name)}.{near_misses(name, known)}"
            )
    if len(by_name) > at_most:
        raise UnusableAnswerError(
            f"the answer names {len(by_name)} traits, but at most {at_most} were asked for"
        )
    return [by_name[name] for name in sorted(by_name)]


def answer_as(form: type[FormT], answer: ModelAnswer) -> FormT:
    """Read the JSON of an answer, which may stand in a fence or behind thoughts.

    Raises:
        UnusableAnswerError: It is not of the *form*.
    """
    if answer.refusal:
        raise UnusableAnswerError(f"the model refuses: {quoted(answer.refusal)}")
    content = answer.content or ""
    match = _DECORATED.fullmatch(content)
    bare = content if match is None else match[1] or match[2] or ""
    try:
        return form.model_validate_json(bare)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"]))
        problem = f"{where}: {first['msg']}" if where else first["msg"].partition(":")[0]
        cut = ", cut off at the token limit" if answer.finish_reason == "length" else ""
        raise UnusableAnswerError(
            f"the answer is not the JSON that was asked for ({problem}{cut}), but {quoted(content)}"
        ) from None


class _Answered(BaseModel):
    traits: list[AssignedTrait]
