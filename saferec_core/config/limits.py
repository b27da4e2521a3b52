"""Limits as they are written, such as ``violation_rate<=0.02``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from saferec_core.errors import ConfigError, UnknownNameError

__all__ = ["NEED_ORACLE", "SHARES", "Limit", "read_limits"]

SHARES = ("violation_rate", "wasted", "repeated", "seen", "out_of_catalog", "unknown")
"""Shares of the written ranks that can be limited."""

NEED_ORACLE = frozenset({"violation_rate", "unknown"})

_LIMIT = re.compile(
    r"\s*(?P<share>[\w-]+)\s*(?:\[(?P<trait>[^\]]+)\])?\s*<=\s*(?P<bound>[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Limit:
    """The share of the written ranks that may be such."""

    share: str
    bound: float
    """In 0..1."""
    trait: str | None = None
    """Of violations: only those of this trait, over the ranks of the lists whose user has it."""

    @property
    def name(self) -> str:
        """What is limited, such as ``violation_rate`` or ``violation_rate[gore]``."""
        return self.share if self.trait is None else f"{self.share}[{self.trait}]"

    def __str__(self) -> str:
        return f"{self.name} <= {self.bound:g}"


def read_limits(texts: Sequence[str], *, has_oracle: bool) -> list[Limit]:
    """Read limits such as ``"violation_rate<=0.02"`` or ``"violation_rate[gore]<=0.01"``.

    Args:
        texts: The limits.
        has_oracle: Whether the run has an oracle, which some shares need.

    Raises:
        ConfigError: One cannot be read, is of an unknown share or outside 0..1, is given twice, or needs an
            oracle; a line for every one.
    """
    limits: dict[str, Limit] = {}
    problems: list[str] = []
    for text in texts:
        try:
            limit = _limit(text, has_oracle=has_oracle)
        except (ConfigError, UnknownNameError) as error:
            problems.append(str(error))
            continue
        if limit.name in limits:
            problems.append(f"{limit.name} has two limits: {limits[limit.name]} and {limit}; keep one")
        limits[limit.name] = limit
    if problems:
        raise ConfigError("\n".join(problems))
    return list(limits.values())


def _limit(text: str, *, has_oracle: bool) -> Limit:
    match = _LIMIT.fullmatch(text)
    if match is None:
        raise ConfigError(f"limit {text!r} cannot be read; write it as violation_rate<=0.02")
    share, trait, bound = match["share"], match["trait"], float(match["bound"])
    if share not in SHARES:
        raise UnknownNameError("share to limit", share, SHARES)
    if not 0 <= bound <= 1:
        raise ConfigError(f"limit {text!r}: a share lies in 0..1, but the bound is {bound:g}")
    if trait is not None and share != "violation_rate":
        raise ConfigError(f"limit {text!r}: only violation_rate can be limited for a trait")
    if share in NEED_ORACLE and not has_oracle:
        raise ConfigError(f"limit {text!r} needs an oracle; name its table with --oracle-path")
    return Limit(share, bound, trait)
