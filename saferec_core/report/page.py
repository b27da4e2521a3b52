"""The page itself: one HTML file that needs nothing else, and lets nothing in."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from typing import Any

from saferec_core.errors import ConfigError

__all__ = ["GENERATOR", "check_report_extras", "render_page"]

GENERATOR = '<meta name="generator" content="saferec report">'
"""Stands near the start of every page, so that a page of ours is known when it is to be replaced."""

_SCRIPTS = ("tables.js", "charts.js", "tooltip.js", "rollouts.js")


def check_report_extras() -> None:
    """Refuse to begin where the packages that pages are made with are missing.

    Raises:
        ConfigError: The message names the extra to install.
    """
    missing = [name for name in ("altair", "jinja2", "vl_convert") if find_spec(name) is None]
    if missing:
        raise ConfigError(f"a report needs {', '.join(missing)}: pip install 'saferec[data]'")


def render_page(content: Mapping[str, Any]) -> str:
    """Fill the page with *content*, and embed style, scripts and Vega.

    The page's security policy admits its own scripts by their hashes and nothing from anywhere else: no
    network, and no script that came in with the data.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("saferec_core.report", "assets"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["json"] = _json
    scripts = [_vega(), "\n".join(_asset(name) for name in _SCRIPTS)]
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    policy = (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    page: str = environment.get_template("page.html").render(
        generator=_safe(GENERATOR),
        policy=policy,
        style=_safe(_asset("report.css")),
        scripts=[_safe(script) for script in scripts],
        made=datetime.now(tz=UTC).isoformat(timespec="minutes").replace("T", " ").replace("+00:00", " UTC"),
        **content,
    )
    return page


@cache
def _vega() -> str:
    """Return Vega, Vega-Lite and Vega-Embed in one script, of the versions that Altair writes for."""
    import vl_convert
    from altair.vegalite import VEGALITE_VERSION

    version = ".".join(VEGALITE_VERSION.split(".")[:2])
    javascript_bundle: Any = vl_convert.javascript_bundle  # its stub asks for more than it does
    bundle: str = javascript_bundle(vl_version=version)
    return bundle.replace("\r\n", "\n").replace("</script", "<\\/script").replace("<!--", "\\x3c!--")


def _asset(name: str) -> str:
    return (files("saferec_core.report") / "assets" / name).read_text(encoding="utf-8")


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _json(value: Any) -> Any:
    """Write JSON that can stand in a script element: nothing in it ends the element or opens a comment."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return _safe(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def _safe(text: str) -> Any:
    from markupsafe import Markup

    return Markup(text)  # noqa: S704 - our own text, or escaped above
