"""The template environment of all pages, and what may stand in them unescaped."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

__all__ = ["asset", "color_on_light_pages", "environment", "safe"]

_SHARED = "saferec_core.pages"


@cache
def environment(package: str) -> jinja2.Environment:
    """Return an environment with the templates of *package*, in its folder ``assets``, and the shared ones.

    Text from the data is escaped wherever it stands. ``style`` holds the shared style sheet, to which a page
    adds its own.
    """
    made = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [jinja2.PackageLoader(name, "assets") for name in dict.fromkeys((package, _SHARED))]
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["json"] = _json
    made.globals["style"] = safe(asset(_SHARED, "style.css"))
    return made


def asset(package: str, name: str) -> str:
    """Return the text of a file in the folder ``assets`` of *package*."""
    return (files(package) / "assets" / name).read_text(encoding="utf-8")


def color_on_light_pages(name: str) -> str:
    """Return a color of the style sheet, such as ``violation``, for pictures that no page colors.

    Raises:
        KeyError: The style sheet has no color of this name.
    """
    light = asset(_SHARED, "style.css").partition("@media")[0]
    colors: dict[str, str] = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", light))
    return colors[name]


def safe(text: str) -> Markup:
    """Mark text of our own, or text that was escaped before, as fit to stand in a page as it is."""
    return Markup(text)  # noqa: S704 - see the docstring


def _json(value: Any) -> Markup:
    """Write JSON that can stand in a script element: nothing in it ends the element or opens a comment."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return safe(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))
