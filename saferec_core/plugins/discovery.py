"""Find the entry points that installed distributions offer to saferec.

What a distribution says of itself is read from its files here and not by ``importlib.metadata.metadata``,
which parses whole descriptions, a few milliseconds for each. A file that is not text is the fault of its
distribution and takes no command down.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, distributions

from saferec_core.plugins.hookspecs import PROJECT
from saferec_core.plugins.plain_text import plain
from saferec_core.plugins.registry import BUILT_IN, Origin
from saferec_core.plugins.selection import canonical

__all__ = ["InstalledPlugin", "installed_plugins"]

_BUILT_IN_PACKAGE = "saferec_plugins"
_HEADER = re.compile(r"^(Name|Version|Requires-Dist):[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_FOLDER = re.compile(r"^(.+?)(?:-(\d[^-]*|[^-]+))?(?:-py\d\S*)?\.(?:dist|egg)-info$")
"""``NAME-VERSION.dist-info``; names that are not normalized hold further dashes."""


@dataclass(frozen=True)
class InstalledPlugin:
    """One entry point of one distribution."""

    origin: Origin
    point: EntryPoint | None
    """None where the distribution cannot be read."""
    distribution: Distribution
    requires: tuple[str, ...] = ()
    """What the distribution requires, as its metadata has it."""
    fault: str = ""
    """Why it cannot be loaded."""


def installed_plugins() -> list[InstalledPlugin]:
    """Return what is installed, by name: built in first, so that nothing of others keeps it from loading."""
    found = [plugin for distribution in _distributions() for plugin in _offered(distribution)]
    return sorted(
        found,
        key=lambda plugin: (
            not plugin.origin.is_built_in,
            plugin.origin.entry_point,
            plugin.point.value if plugin.point else "",
        ),
    )


def _distributions() -> Iterator[Distribution]:
    """Yield each distribution once, the first on the path; one whose folder is unknown cannot be compared."""
    seen = {"unknown"}
    for distribution in distributions():
        name = canonical(_named_by_folder(distribution)[0])
        if name not in seen or name == "unknown":
            seen.add(name)
            yield distribution


def _named_by_folder(distribution: Distribution) -> tuple[str, str]:
    """Return name and version as the folder of a distribution has them."""
    folder = str(getattr(getattr(distribution, "_path", None), "name", ""))
    match = _FOLDER.match(folder)
    name, version = (match[1], match[2] or "") if match else (folder, "")
    return plain(name) or "unknown", plain(version) or "unknown"


def _offered(distribution: Distribution) -> Iterator[InstalledPlugin]:
    """Yield the entry points of a distribution, each once, or the fault that keeps them from being read."""
    name, version = _named_by_folder(distribution)
    try:
        declared = distribution.read_text("entry_points.txt") or ""
        if PROJECT not in declared.lower() and not (_has_no_head(declared) and _needs_saferec(distribution)):
            return
        fault = _fault_of_file(declared)
        points = [] if fault else [point for point in distribution.entry_points if point.group == PROJECT]
    except (ValueError, OSError) as error:
        if not _mentions_saferec(distribution):
            return
        fault, points = _unreadable("entry_points.txt", error), []
    if fault:
        yield InstalledPlugin(Origin("unknown", name, version), None, distribution, fault=fault)
        return
    header, fault = "", ""
    try:
        text = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
        header = text.replace("\r\n", "\n").partition("\n\n")[0]
    except (ValueError, OSError) as error:
        fault = _unreadable("METADATA", error)
    fields: dict[str, list[str]] = {"Name": [], "Version": [], "Requires-Dist": []}
    for field, value in _HEADER.findall(header):
        fields[field].append(value)
    name = plain((fields["Name"] or [""])[0]) or name
    version = plain((fields["Version"] or [""])[0]) or version
    yield from _described(points, distribution, name, version, tuple(fields["Requires-Dist"]), fault)


def _described(
    points: Iterable[EntryPoint],
    distribution: Distribution,
    name: str,
    version: str,
    requires: tuple[str, ...],
    fault: str,
) -> Iterator[InstalledPlugin]:
    known: dict[str, str] = {}
    for point in points:
        if known.get(point.value) == point.name:
            continue  # the same line twice
        reason = fault or _fault_of(point, name)
        if not reason and point.value in known:
            reason = f"it offers {point.value!r}, as the entry point {known[point.value]!r} does already"
        known.setdefault(point.value, point.name)
        called = BUILT_IN if canonical(name) == BUILT_IN and not reason else name
        if reason and canonical(name) == BUILT_IN:
            called = f"{name} (not saferec itself)"
        yield InstalledPlugin(
            Origin(plain(point.name), called, version), point, distribution, requires, reason
        )


def _fault_of(point: EntryPoint, distribution: str) -> str:
    """Say why an entry point cannot be that of a plugin; empty if it may."""
    if EntryPoint.pattern.match(point.value) is None:
        return f"its entry point {point.name} = {point.value!r} is malformed; expected 'package.module'"
    if canonical(distribution) == BUILT_IN and point.module.partition(".")[0] != _BUILT_IN_PACKAGE:
        return f"its distribution calls itself saferec, of which {point.module!r} is not a part"
    return ""


def _fault_of_file(text: str) -> str:
    """Say why nobody reads what a file of entry points offers to saferec; empty if it is read."""
    group = ""
    for line in filter(None, map(str.strip, text.splitlines())):
        if line.startswith("#"):
            continue
        if line.startswith("["):
            group = line.strip("[] \t")
            if canonical(group) == PROJECT and line != f"[{PROJECT}]":
                return f"its entry_points.txt has the group {line}; expected is [{PROJECT}]"
        elif not group:
            return (
                f"its entry_points.txt has {line!r} above any head of a group; expected is [{PROJECT}] first"
            )
        elif group == PROJECT and "=" not in line:
            return f"its entry_points.txt has {line!r} in [{PROJECT}]; expected is NAME = MODULE"
    return ""


def _has_no_head(text: str) -> bool:
    """Whether a file of entry points does not begin with the head of a group, so that nobody reads it."""
    lines = (line for line in map(str.strip, text.splitlines()) if line and not line.startswith("#"))
    return not next(lines, "[").startswith("[")


def _needs_saferec(distribution: Distribution) -> bool:
    required = (distribution.read_text("METADATA") or "").partition("\n\n")[0]
    return any(
        field == "Requires-Dist" and re.match(rf"{PROJECT}\b(?!-)", value, re.IGNORECASE)
        for field, value in _HEADER.findall(required)
    )


def _mentions_saferec(distribution: Distribution) -> bool:
    """Whether a file of entry points that is not text mentions saferec; other programs have such files."""
    path = getattr(distribution, "_path", None)
    try:
        return path is not None and PROJECT.encode() in (path / "entry_points.txt").read_bytes()
    except OSError:
        return False


def _unreadable(file: str, error: Exception) -> str:
    reason = getattr(error, "strerror", None) or f"it is not UTF-8 text ({error})"
    return f"its {file} cannot be read: {reason}. Install it again, or ask its author"
