"""The address and key for asking a model; the key is never shown."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

from saferec_core.errors import ConfigError

__all__ = ["Endpoint", "check_base_url", "check_key_variable", "resolved"]

_DEFAULT = "https://api.openai.com/v1"
_PLACEHOLDER = "no-key"
"""Sent to servers without keys, since the client requires one."""
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")
_SECRET_NAME = re.compile(r"key|token|secret|sig|pass|auth|cred", re.IGNORECASE)
_SECRET_SEGMENT = re.compile(r"sk-.*|(?=.*[A-Za-z])(?=.*[0-9])[A-Za-z0-9_-]{24,}")
_LONGEST_OPEN_VALUE = 19
"""A longer value in an address, such as an api-version's, is taken for a key."""


@dataclass(frozen=True)
class Endpoint:
    """Where questions are sent."""

    base_url: str
    key_variable: str
    """Name of the environment variable that holds the key."""
    key: str | None = field(repr=False)
    """The key; None if the variable is not set, as for a local server."""

    @classmethod
    def find(cls, base_url: str | None, key_variable: str) -> Endpoint:
        """Complete an option by the environment.

        Args:
            base_url: See :func:`resolved`.
            key_variable: Name of the environment variable that holds the key.

        Raises:
            ConfigError: A key is needed but not set, or is not usable.
        """
        address = resolved(base_url)
        key = os.environ.get(key_variable, "").strip() or None
        if key is None and address == _DEFAULT:
            raise ConfigError(
                f"the environment variable {key_variable} is not set; put your key for {_DEFAULT} there, or "
                "name another server with base_url, such as http://localhost:8000/v1"
            )
        if key is not None and not (key.isascii() and key.isprintable() and " " not in key):
            raise ConfigError(
                f"the environment variable {key_variable} does not hold a usable key: expected one line of "
                "letters, digits and signs without spaces"
            )
        return cls(address, key_variable, key)

    @property
    def sent_key(self) -> str:
        """What the client is given as its key."""
        return self.key or _PLACEHOLDER

    def without_key(self, text: str) -> str:
        """Remove the key from *text*, since a server may echo it."""
        return text.replace(self.key, "[key]") if self.key else text


def resolved(base_url: str | None) -> str:
    """Return the address that is asked: *base_url*, else ``OPENAI_BASE_URL``, else OpenAI's own.

    Raises:
        ConfigError: As :func:`check_base_url`.
    """
    address = base_url or os.environ.get("OPENAI_BASE_URL") or _DEFAULT
    check_base_url(address)
    return address.rstrip("/")


def check_base_url(base_url: str) -> None:
    """Refuse an invalid address, or one with a secret, since it is written to errors and manifests.

    Raises:
        ConfigError: The message does not repeat the address.
    """
    try:
        parts = urlsplit(base_url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError("base_url is not an address; expected one such as http://localhost:8000/v1")
    if "@" in parts.netloc:
        raise ConfigError(
            "base_url holds a user name or password; leave it out, and put the key into the environment "
            "variable that api_key_env names"
        )
    if any(_SECRET_SEGMENT.fullmatch(unquote(segment)) for segment in parts.path.split("/")):
        raise ConfigError(
            "base_url holds what looks like a key in its path; leave it out, and put the key into the "
            "environment variable that api_key_env names"
        )
    values = parse_qsl(parts.query, keep_blank_values=True)
    if parts.fragment or any(_SECRET_NAME.search(n) or len(v) > _LONGEST_OPEN_VALUE for n, v in values):
        raise ConfigError(
            "base_url holds what looks like a key after its ? or #; leave it out, and put the key into the "
            "environment variable that api_key_env names"
        )


def check_key_variable(name: str) -> None:
    """Refuse an invalid variable name; it may be the key itself, so it is not repeated.

    Raises:
        ConfigError: It is not valid.
    """
    if not _VARIABLE.fullmatch(name):
        raise ConfigError(
            "api_key_env must be the name of an environment variable in capital letters, such as "
            "OPENAI_API_KEY; the key itself is given in that variable"
        )
