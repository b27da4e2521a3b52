"""What differs between domains, in one file: the words of prompts, the traits, and how a list is written."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from saferec_core.config.choices import DEFAULT_PARSER, ComponentChoice, Section
from saferec_core.config.yaml_text import read_yaml
from saferec_core.errors import ConfigError

__all__ = ["FILMS", "Domain", "read_domain", "with_domain"]


class Domain(Section):
    """A domain; the defaults are those of films and series."""

    items: str = "films and series"
    """What is recommended, in the plural, as instructions name it."""
    entry: str = "Title (Year)"
    """How instructions describe a line of the list."""
    consumed: str = "seen"
    """What users have done with an item that they know, as in "has not seen": seen, played, read or heard."""
    traits_path: Path | None = None
    """Traits (YAML) in place of the built-in twenty; relative to the domain file."""
    parser: ComponentChoice = DEFAULT_PARSER
    """Parser: how lists are written in targets and read again."""


FILMS = Domain()
"""What holds where no domain is named."""


def read_domain(path: Path | None) -> Domain:
    """Read a domain file (YAML), the domain of films if none is named.

    Raises:
        ConfigError: The file cannot be read, or a key is not valid.
    """
    return FILMS if path is None else _read(path.absolute())


@cache
def _read(path: Path) -> Domain:
    try:
        content = read_yaml(path.read_text(encoding="utf-8"))
        domain = Domain.model_validate(content)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"domain file {path} cannot be read: {error}") from error
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc'])) or 'it'}: {problem['msg']}" for problem in error.errors()
        )
        known = ", ".join(Domain.model_fields)
        raise ConfigError(f"domain file {path}: {problems}. Keys: {known}") from error
    if domain.traits_path is None:
        return domain
    return domain.model_copy(update={"traits_path": path.parent / domain.traits_path})


def with_domain(settings: Any, *names: str) -> Any:
    """Complete settings by those of the domain file that their ``domain_path`` names.

    Args:
        settings: The settings as they were given.
        names: Fields of the domain that the settings have as well.
    """
    if not isinstance(settings, Mapping) or settings.get("domain_path") is None:
        return settings
    domain = read_domain(Path(str(settings["domain_path"])))
    of_domain = {name: value for name in names if (value := getattr(domain, name)) is not None}
    return {**of_domain, **settings}
