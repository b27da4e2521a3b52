"""Built-in parsers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from saferec_core import hookimpl

if TYPE_CHECKING:
    from saferec_core.plugins.contracts.parser import ListParser
    from saferec_core.plugins.registry import Registry

__all__ = ["saferec_register_parsers"]


@hookimpl
def saferec_register_parsers(registry: Registry[ListParser]) -> None:
    """Offer the built-in parsers."""
    registry.add(
        "title-year",
        "saferec_plugins.parsers.title_year:TitleYearParser",
        summary="One recommendation per line: Title (Year).",
    )
    registry.add(
        "json",
        "saferec_plugins.parsers.json_parser:JsonParser",
        summary="A JSON array of titles, or of objects with title and year.",
    )
