"""The page itself: one HTML file that needs nothing else, and lets nothing in."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any

from saferec_core.errors import ConfigError
from saferec_core.pages.environment import asset, environment, safe
from saferec_core.report.vega import vega_script

__all__ = ["GENERATOR", "check_report_extras", "render_page"]

GENERATOR = '<meta name="generator" content="saferec report">'
"""Stands near the start of every page, so that a page of ours is known when it is to be replaced."""

_PACKAGE = "saferec_core.report"
_SCRIPTS = ("tables.js", "charts.js", "tooltip.js", "rollouts.js")


def check_report_extras() -> None:
    """Refuse to begin where the packages that pages are made with are missing.

    Raises:
        ConfigError: The message names the extra to install.
    """
    missing = [name for name in ("altair", "vl_convert") if find_spec(name) is None]
    if missing:
        raise ConfigError(f"a report needs {', '.join(missing)}: pip install 'saferec[data]'")


def render_page(content: Mapping[str, Any]) -> str:
    """Fill the page with *content*, and embed style, scripts and Vega.

    The page's security policy admits its own scripts by their hashes and nothing from anywhere else: no
    network, and no script that came in with the data.
    """
    scripts = [vega_script(), "\n".join(asset(_PACKAGE, name) for name in _SCRIPTS)]
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    policy = (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    page: str = (
        environment(_PACKAGE)
        .get_template("page.html")
        .render(
            generator=safe(GENERATOR),
            security=policy,
            own_style=safe(asset(_PACKAGE, "report.css")),
            scripts=[safe(script) for script in scripts],
            made=datetime.now(tz=UTC)
            .isoformat(timespec="minutes")
            .replace("T", " ")
            .replace("+00:00", " UTC"),
            **content,
        )
    )
    return page


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
