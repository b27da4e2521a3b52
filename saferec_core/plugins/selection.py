"""Which plugins a command loads: all that are installed, but for those that are switched off, and files.

The choice stands in the environment, so that the processes that a command starts make it as well. The
command line writes ``--plugin``, ``--no-plugin`` and ``--strict-plugins`` there.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from saferec_core.plugins.registry import Origin

__all__ = ["DISABLED", "FILES", "LEFT_OUT", "STRICT", "Selection", "canonical"]

DISABLED = "SAFEREC_DISABLE_PLUGINS"
"""Plugins to switch off: names of distributions or entry points, separated by commas or blanks; ``all``
stands for every one that is not saferec's own."""
LEFT_OUT = "SAFEREC_NO_PLUGIN"
"""Likewise, but a name that stands for no installed plugin is an error: what ``--no-plugin`` says."""
FILES = "SAFEREC_PLUGIN_FILES"
"""Python files to load as plugins, separated as ``PATH`` is."""
STRICT = "SAFEREC_STRICT_PLUGINS"
"""``1``: a plugin that cannot be loaded, or a name that two offer, ends every command."""


@dataclass(frozen=True)
class Selection:
    """Which plugins are loaded."""

    disabled: frozenset[str] = frozenset()
    """Names in the form of :func:`canonical`."""
    required: frozenset[str] = frozenset()
    """Those of them that have to be installed."""
    files: tuple[Path, ...] = ()
    strict: bool = False

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> Selection:
        """Read the choice from the environment."""
        required = _names(environment.get(LEFT_OUT, ""))
        files = environment.get(FILES, "").split(os.pathsep)
        return cls(
            disabled=_names(environment.get(DISABLED, "")) | required,
            required=required,
            files=tuple(dict.fromkeys(Path(file).resolve() for file in files if file)),
            strict=environment.get(STRICT, "") not in {"", "0"},
        )

    def leaves_out(self, origin: Origin) -> bool:
        """Tell whether a plugin is switched off; ``saferec`` itself and its entry points cannot be."""
        if origin.is_built_in:
            return False
        distribution, point = canonical(origin.distribution), canonical(origin.entry_point)
        return not self.disabled.isdisjoint({"all", distribution, point, f"{distribution}:{point}"})


def canonical(name: str) -> str:
    """Return a name as the index of Python packages compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _names(text: str) -> frozenset[str]:
    return frozenset(canonical(name) for name in re.split(r"[,\s]+", text) if name)
