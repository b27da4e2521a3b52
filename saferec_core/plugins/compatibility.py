"""Whether a plugin is made for this release of saferec: what its distribution requires is compared."""

from __future__ import annotations

import re
from collections.abc import Iterable

from saferec_core.plugins.registry import BUILT_IN
from saferec_core.plugins.selection import canonical

__all__ = ["incompatibility"]


def incompatibility(requires: Iterable[str], version: str) -> str:
    """Say why a distribution does not go with saferec of this *version*; empty if it does, or does not say.

    Args:
        requires: The ``Requires-Dist`` of its metadata, such as ``saferec>=0.2,<1``.
        version: Version of the installed saferec.
    """
    required = [text for text in requires if BUILT_IN in text.lower()]
    if not required:
        return ""
    from packaging.requirements import InvalidRequirement, Requirement  # for plugins of others only

    for text in required:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            if re.match(rf"\s*{BUILT_IN}\s*([<>=!~;\[(]|$)", text, re.IGNORECASE):
                return f"its requirement {text!r} cannot be read; expected such as saferec>=0.2,<1"
            continue  # of another package
        if canonical(requirement.name) != BUILT_IN or not _applies(requirement):
            continue
        specifier = requirement.specifier
        if specifier.contains(version, prereleases=True):
            continue
        wants_newer = any(
            each.operator in {">=", ">", "~=", "=="} and _is_above(each.version, version)
            for each in specifier
        )
        return (
            f"it is too new for this saferec: it needs saferec {specifier}, installed is {version}. "
            "Upgrade saferec, or install an older release of the plugin"
            if wants_newer
            else f"it is too old for this saferec: it supports saferec {specifier}, installed is {version}. "
            "Upgrade the plugin, or install an older saferec"
        )
    return ""


def _applies(requirement: object) -> bool:
    marker = getattr(requirement, "marker", None)
    return marker is None or bool(marker.evaluate({"extra": ""}))


def _is_above(version: str, installed: str) -> bool:
    from packaging.version import Version

    return Version(version.removesuffix(".*")) > Version(installed)
