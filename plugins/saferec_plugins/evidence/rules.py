"""Rule tables: what the words and numbers of a source mean for each trait, in readable YAML."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import AfterValidator, BeforeValidator, Field, TypeAdapter, ValidationError

from saferec_core.config.choices import Section
from saferec_core.config.yaml_text import read_yaml
from saferec_core.errors import ConfigError, UnknownNameError

__all__ = ["Risk", "Words", "WordsByRisk", "first_match", "read_rules", "rules_for"]

RuleT = TypeVar("RuleT", bound=Section)


def _compiled(value: Any) -> Any:
    """Compile one regular expression, or several of which any may match."""
    parts = value if isinstance(value, list) else [value]
    if not parts or not all(isinstance(part, str) and part for part in parts):
        raise ValueError("expected a regular expression, or a list of them")
    for part in parts:
        try:
            re.compile(part)
        except re.error as error:
            raise ValueError(f"{part!r} is not a valid regular expression: {error}") from error
    return re.compile("|".join(f"(?:{part})" for part in parts), re.IGNORECASE)


Risk = Annotated[float, Field(ge=0, le=1)]
"""A risk, in 0..1."""

Words = Annotated[re.Pattern[str], BeforeValidator(_compiled)]
"""Words to look for, in any case: a regular expression or a list of them."""

WordsByRisk = Annotated[
    dict[Risk, Words],
    Field(min_length=1),
    AfterValidator(lambda risks: dict(sorted(risks.items(), reverse=True))),
]
"""Words that indicate each risk, the highest first."""


def first_match(risks: Mapping[float, re.Pattern[str]], text: str) -> tuple[float, re.Match[str]] | None:
    """Return the highest risk whose words occur in *text*, and where; None if none do."""
    for risk, words in risks.items():
        if match := words.search(text):
            return risk, match
    return None


def read_rules(kind: type[RuleT], path: Path | None, built_in: str) -> dict[str, RuleT]:
    """Read a table of rules by trait.

    Args:
        kind: What a rule is.
        path: The user's own table, if any.
        built_in: Name of the table that lies beside this module.

    Raises:
        ConfigError: The table cannot be read or is not valid; every problem is named.
    """
    name = f"rules {path or built_in}"
    try:
        text = (files(__package__) / built_in if path is None else path).read_text(encoding="utf-8")
        table = read_yaml(text)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{name} is not valid YAML: {error}") from error
    try:
        return TypeAdapter(dict[str, kind]).validate_python(table)  # type: ignore[valid-type]
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc'])) or 'the table'}: "
            f"{str(problem['msg']).removeprefix('Value error, ')}"
            for problem in error.errors()
        )
        raise ConfigError(f"{name}: {problems}") from error


def rules_for(traits: Collection[str], rules: Mapping[str, RuleT], path: Path | None) -> dict[str, RuleT]:
    """Keep the rules of the *traits*, in their order.

    Raises:
        UnknownNameError: The user's own table has a rule for a trait that does not exist.
    """
    if path is not None:
        for trait in rules:
            if trait not in traits:
                raise UnknownNameError("trait", trait, traits, hint=f"It has a rule in {path}.")
    return {trait: rules[trait] for trait in traits if trait in rules}
