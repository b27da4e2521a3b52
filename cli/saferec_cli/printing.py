"""Text from data, printed as it is: JSON for other programs, and lines that rich neither colors nor wraps."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:  # `plugins list` prints JSON without it
    from rich.console import Console

__all__ = ["only_json_printed", "print_json", "print_line"]

_STANDARD_OUTPUT, _STANDARD_ERROR = 1, 2

_outputs: list[TextIO] = []
"""Where JSON goes instead of to what is standard output at that moment."""


@contextmanager
def only_json_printed() -> Iterator[None]:
    """Keep standard output for :func:`print_json`; what anybody else prints goes to standard error."""
    with ExitStack() as stack:
        output, own = sys.stdout, sys.__stdout__
        if own is not None and output is own and own.fileno() == _STANDARD_OUTPUT:
            own.flush()
            copy = os.dup(_STANDARD_OUTPUT)
            output = stack.enter_context(open(copy, "w", encoding=own.encoding))  # noqa: PTH123
            os.dup2(_STANDARD_ERROR, _STANDARD_OUTPUT)  # for what is written without Python's streams
            stack.callback(os.dup2, copy, _STANDARD_OUTPUT)
        stack.enter_context(redirect_stdout(sys.stderr))
        if output is not None:  # as it is where standard output is closed
            _outputs.append(output)
            stack.callback(_outputs.pop)
        yield


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
    output = _outputs[-1] if _outputs else sys.stdout
    try:
        text.encode(output.encoding or "utf-8")
    except UnicodeEncodeError:
        text = written(in_ascii=True)
    try:
        output.write(text + "\n")
        output.flush()
    except BrokenPipeError:  # whoever reads has stopped; what is left must not fail at the end of the process
        os.dup2(os.open(os.devnull, os.O_WRONLY), output.fileno())
        raise


def print_line(console: Console, text: str) -> None:
    """Print *text* without markup, highlighting or wrapping."""
    from rich.markup import escape

    console.print(escape(text), soft_wrap=True, highlight=False)
