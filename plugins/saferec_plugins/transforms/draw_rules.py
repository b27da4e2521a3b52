"""Rules for sampling traits: the weight of each, and words that increase it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import yaml
from pydantic import Field, TypeAdapter, ValidationError

from saferec_core.config.choices import Section
from saferec_core.config.yaml_text import read_yaml
from saferec_core.errors import ConfigError, UnknownNameError

__all__ = ["DrawRule", "DrawRules", "read_draw_rules"]

_BUILT_IN = Path(__file__).with_name("draw_rules.yaml")


class DrawRule(Section):
    """How likely one trait is to be drawn, relative to the others."""

    weight: float = Field(default=1, ge=0)
    """Twice the weight is drawn twice as often; 0: never."""
    words: str | None = None
    """Regular expression, in lower case, for whole words of the user that make the trait more likely."""
    factor: float = Field(default=10, gt=0)
    """Factor by which such a word multiplies the weight."""


@dataclass(frozen=True)
class DrawRules:
    """The rules for some traits, in their order; a trait without a rule has weight 1."""

    rules: Sequence[DrawRule]
    patterns: Mapping[int, re.Pattern[str]]
    """By position of the trait."""

    def words_in(self, texts: Sequence[str]) -> dict[int, str]:
        """Return the first word that speaks for a trait, in lower case, by position of the trait."""
        text = "\n".join(texts).lower()  # five times as fast as patterns that ignore the case
        if self._any is not None and self._any.search(text) is None:
            return {}  # most texts, in one search
        matches = ((position, pattern.search(text)) for position, pattern in self.patterns.items())
        return {position: match[0] for position, match in matches if match}

    def weights(self, spoken_for: Collection[int]) -> list[float]:
        """Return the weight of each trait for a user whose words speak for some of them."""
        return [
            rule.weight * rule.factor if position in spoken_for else rule.weight
            for position, rule in enumerate(self.rules)
        ]

    @cached_property
    def _any(self) -> re.Pattern[str] | None:
        patterns = self.patterns.values()
        if not patterns or any(pattern.groups for pattern in patterns):  # groups would be renumbered
            return None
        words = (self.rules[position].words for position in self.patterns)
        return re.compile(rf"\b(?:{'|'.join(filter(None, words))})\b")


def read_draw_rules(path: Path | None, traits: Sequence[str]) -> DrawRules:
    """Read the rules for *traits* from a YAML file, ``{trait: {weight, words, factor}}``.

    Args:
        path: The file; None for the built-in rules, of which those for other traits are ignored.
        traits: The traits that may be drawn.

    Raises:
        ConfigError: The file cannot be read, or a rule is not valid.
        UnknownNameError: It has a rule for a trait that cannot be judged.
    """
    rules = _read(path or _BUILT_IN)
    if path is not None:
        for name in rules:
            if name not in traits:
                raise UnknownNameError("trait", name, traits, hint=f"It has a rule in {path}.")
    ordered = [rules.get(trait, DrawRule()) for trait in traits]
    if not any(rule.weight for rule in ordered):
        raise ConfigError(f"{path}: every trait has weight 0, so that none can be drawn")
    patterns = {
        position: _pattern(rule.words, f"{path or _BUILT_IN}: {trait}")
        for position, (trait, rule) in enumerate(zip(traits, ordered, strict=True))
        if rule.words is not None
    }
    return DrawRules(ordered, patterns)


def _read(path: Path) -> dict[str, DrawRule]:
    try:
        content = read_yaml(path.read_text(encoding="utf-8"))
        return TypeAdapter(dict[str, DrawRule]).validate_python(content or {})
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        raise ConfigError(f"{path}: {where}: {problem['msg']}, but got {problem['input']!r}") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"rules for drawing traits {path} cannot be read: {error}") from error


def _pattern(words: str, where: str) -> re.Pattern[str]:
    plain = re.sub(r"\\.|\(\?P", "", words)  # without classes such as \W
    if plain != plain.lower():
        raise ConfigError(f"{where}: write words {words!r} in lower case; they match capital letters too")
    try:
        return re.compile(rf"\b(?:{words})\b")
    except re.error as error:
        raise ConfigError(f"{where}: words {words!r} are not a valid regular expression: {error}") from error
