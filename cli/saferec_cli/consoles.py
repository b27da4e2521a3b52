"""Consoles of rich on which nothing that plugins or data bring can act on the terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from saferec_core.plugins.plain_text import plain

__all__ = ["PlainConsole"]


class PlainConsole(Console):
    """Prints text without its escape sequences; styles are rich's own and stay."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render, and take out of every text what a terminal would act on."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=plain(segment.text, lines=True))
