"""Text from data, printed as it is: JSON for other programs, and lines that rich neither colors nor wraps."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # `plugins list` prints JSON without it
    from rich.console import Console

__all__ = ["print_json", "print_line"]


def print_json(value: Any, *, default: Callable[[Any], Any] | None = None) -> None:
    """Print *value* as JSON, in letters that the output can encode; NaN and infinities become null.

    Args:
        value: What to print.
        default: Turns what JSON does not have into what it has.
    """
    from saferec_core.data.json_lines import finite

    def written(*, in_ascii: bool) -> str:
        return json.dumps(finite(value), indent=2, ensure_ascii=in_ascii, allow_nan=False, default=default)

    text = written(in_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = written(in_ascii=True)
    sys.stdout.write(text + "\n")


def print_line(console: Console, text: str) -> None:
    """Print *text* without markup, highlighting or wrapping."""
    from rich.markup import escape

    console.print(escape(text), soft_wrap=True, highlight=False)
