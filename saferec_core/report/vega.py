"""The scripts that draw the charts of a page, bundled once on a machine."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from saferec_core.data.machine_cache import cache_folders, writable_folder
from saferec_core.errors import RunError
from saferec_core.files import replacing

__all__ = ["vega_script"]


@cache
def vega_script() -> str:
    """Return Vega, Vega-Lite and Vega-Embed in one script, of the versions that Altair writes for.

    Bundling takes seconds and gives the same script each time, so it is kept in the machine's cache.
    """
    from altair.vegalite import VEGALITE_VERSION

    vegalite = ".".join(VEGALITE_VERSION.split(".")[:2])
    script = _bundled_once(vegalite)
    # What is kept stays as it was bundled, so that a change of this reaches those who keep it as well.
    return script.replace("</script", "<\\/script").replace("<!--", "\\x3c!--")


def _bundled_once(vegalite: str) -> str:
    name = f"vega-{vegalite}-of-{version('vl-convert-python')}.js"
    for folder in cache_folders():
        if kept := _kept(folder / name):
            return kept
    script = _bundled(vegalite)
    with (
        suppress(OSError, RunError),
        replacing(writable_folder() / name) as draft,
    ):  # else made again next time
        draft.write_text(_sealed(script), encoding="utf-8", newline="\n")
    return script


def _bundled(vegalite: str) -> str:
    import vl_convert

    javascript_bundle: Any = vl_convert.javascript_bundle  # its stub asks for more than it does
    bundle: str = javascript_bundle(vl_version=vegalite)
    return bundle.replace("\r\n", "\n")


def _sealed(script: str) -> str:
    return f"{hashlib.sha256(script.encode()).hexdigest()}\n{script}"


def _kept(path: Path) -> str | None:
    """Return the script that this user kept earlier, None if there is none or it is damaged."""
    try:
        if path.stat().st_uid != os.getuid():
            return None
        text = path.read_bytes().decode("utf-8")  # line breaks as they are
    except (OSError, UnicodeDecodeError):
        return None
    script = text.partition("\n")[2]
    return script if text == _sealed(script) else None
