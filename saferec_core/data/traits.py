"""Traits: what users may be sensitive to, with the questions, weights and sentences for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, Field, ValidationError, field_validator

from saferec_core.config.choices import Section
from saferec_core.config.yaml_text import read_yaml
from saferec_core.errors import ConfigError, near_misses

__all__ = ["PARENT_GUIDE", "Trait", "read_traits", "short_names", "trait_of"]

PARENT_GUIDE = (
    "sex_nudity",
    "violence_gore",
    "profanity",
    "alcohol_drugs_smoking",
    "frightening_intense",
)
"""The five categories of a parental guide, in the order of severities and weights."""


def _one_line(text: str) -> str:
    text = text.strip()
    if not text or len(text.splitlines()) > 1:
        raise ValueError(f"must be one line of text, but is {text!r}")
    return text


Line = Annotated[str, AfterValidator(_one_line)]
"""Text without line breaks, and not blank."""


def _ended(text: str) -> str:
    if text.endswith((",", ";", ":", "-", "–", "—")):
        raise ValueError(f"must not end with {text[-1]!r}, since other sentences follow: {text!r}")
    return text


Sentence = Annotated[Line, AfterValidator(_ended)]
"""A line that a period may follow."""


class Trait(Section):
    """One sensitivity."""

    about: Line
    """What somebody with this trait does not want to see, in one sentence."""
    questions: list[Line] = Field(min_length=1)
    """Yes/no questions about a title; one yes is a warning."""
    parent_guide: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    """Weight of each category of the parental guide that matters to the trait; none: no signal."""
    explicit: list[Sentence] = Field(min_length=1)
    """Sentences with which a user states the constraint."""
    implied: list[Sentence] = Field(min_length=1)
    """Sentences from which it follows without being stated."""

    @property
    def weights(self) -> tuple[float, ...]:
        """The weights in the order of the categories."""
        return tuple(self.parent_guide.get(category, 0.0) for category in PARENT_GUIDE)

    @field_validator("parent_guide")
    @classmethod
    def _categories_exist(cls, weights: dict[str, float]) -> dict[str, float]:
        for category in weights:
            if category not in PARENT_GUIDE:
                raise ValueError(
                    f"unknown category {category!r}.{near_misses(category, PARENT_GUIDE)} "
                    f"Categories: {', '.join(PARENT_GUIDE)}"
                )
        return weights


def trait_of(traits: Mapping[str, Trait], constraint: str) -> Trait | None:
    """Return the trait of a constraint; None if there is none.

    A constraint with a value, such as ``max_runtime=100``, has the trait ``max_runtime``; ``{value}`` in its
    texts stands for the value.
    """
    name, _, value = constraint.partition("=")
    trait = traits.get(constraint) or traits.get(name)
    if trait is None or not value:
        return trait

    def filled(texts: Sequence[str]) -> list[str]:
        return [text.replace("{value}", value) for text in texts]

    return trait.model_copy(
        update={
            "about": trait.about.replace("{value}", value),
            **{name: filled(getattr(trait, name)) for name in ("questions", "explicit", "implied")},
        }
    )


def read_traits(path: Path | None = None) -> dict[str, Trait]:
    """Read traits by name from a YAML file, the built-in twenty if none is named.

    The file has one key per trait, its name, and below it the fields of :class:`Trait`.

    Raises:
        ConfigError: The file cannot be read, or a trait is not valid.
    """
    if path is None:
        return dict(_built_in())
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"trait file {path} cannot be read: {error}") from error
    return _parsed(text, f"trait file {path}")


@cache
def _built_in() -> Mapping[str, Trait]:
    name = "traits.yaml"
    return _parsed((files("saferec_core.data") / name).read_text(encoding="utf-8"), name)


def _parsed(text: str, where: str) -> dict[str, Trait]:
    try:
        loaded = read_yaml(text, fast=True)
    except yaml.YAMLError as error:
        raise ConfigError(f"{where} is not valid YAML: {error}") from error
    if loaded is None or loaded == {}:
        raise ConfigError(f"{where} is empty; expected at least one trait, by name")
    if not isinstance(loaded, dict):
        raise ConfigError(f"{where} must hold NAME: FIELDS pairs, but holds {_shortened(loaded)}")
    traits, problems = {}, []
    for name, fields in loaded.items():
        if not isinstance(name, str) or not name.strip():
            problems.append(f"the name of a trait must be text, but is {name!r}")
            continue
        try:
            traits[name] = Trait.model_validate(fields)
        except ValidationError as error:
            problems += [_described(name, problem) for problem in error.errors()]
    if problems:
        raise ConfigError("\n".join(f"{where}: {problem}" for problem in problems))
    return traits


def _described(name: str, problem: Mapping[str, Any]) -> str:
    path = ".".join([name, *map(str, problem["loc"])])
    if problem["type"] == "missing":
        return f"{path} is missing"
    if problem["type"] == "extra_forbidden":
        fields = Trait.model_fields
        near = near_misses(str(problem["loc"][-1]), fields)
        return f"unknown key {path!r}.{near} Keys here: {', '.join(fields)}"
    if problem["type"] == "value_error":
        return f"{path}: {problem['msg'].removeprefix('Value error, ')}"
    if problem["type"] == "model_type":
        return f"{path} must hold {', '.join(Trait.model_fields)}, but is {_shortened(problem['input'])}"
    return f"{path}: {problem['msg']}, but got {_shortened(problem['input'])}"


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}..."


def short_names(traits: Iterable[str]) -> dict[str, str]:
    """Return a short name for each trait: its name without the part in brackets.

    A trait whose short name another one shares keeps its whole name.
    """
    short = {trait: trait.partition(" (")[0] for trait in traits}
    times = Counter(short.values())
    return {trait: name if times[name] == 1 else trait for trait, name in short.items()}
