"""Whether a run is continued with what it began with, by its manifest of then and of now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from saferec_core.errors import RunError
from saferec_core.runs.layout import RunLayout

__all__ = ["check_data", "other_versions"]


def check_data(run: RunLayout, then: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse to continue a run whose files have other contents than when it began.

    Raises:
        RunError: They have; the message names each.
    """
    before = _data(then)
    changed = [
        f"{name} ({file['path']})"
        for name, file in _data(now).items()
        if name in before and before[name].get("sha256") != file["sha256"]
    ]
    if changed:
        raise RunError(
            f"run {run.path} began with other data and cannot be continued: {', '.join(changed)} changed "
            "since. Put back what was there, or start a new run under another --run-name"
        )


def other_versions(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return a sentence that names the packages that changed; none if they are the same.

    Of plugins their files count as well: those that are being worked on keep their version.
    """
    before, present = _versions(then), _versions(now)
    changed = [
        f"{name} {before[name]} (now {present.get(name) or 'not installed'})"
        for name in sorted(before)
        if before[name] and before[name] != present.get(name)
    ]
    files, files_now = _hashes(then), _hashes(now)
    changed += [
        f"other files of {name} {before[name]}"
        for name in sorted(files.keys() & files_now.keys())
        if files[name] != files_now[name] and before.get(name) == present.get(name)
    ]
    if not changed:
        return []
    consequence = "what follows may differ from what it would have been without the interruption"
    return [f"The run began with {', '.join(changed)}: {consequence}."]


def _data(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    files = manifest.get("data")
    return files if isinstance(files, Mapping) else {}


def _versions(manifest: Mapping[str, Any]) -> dict[str, str]:
    engines = manifest.get("versions")
    versions = dict(engines) if isinstance(engines, Mapping) else {}
    return versions | {
        each["distribution"]: each["version"] for each in _plugins(manifest) if "version" in each
    }


def _hashes(manifest: Mapping[str, Any]) -> dict[str, str]:
    return {each["distribution"]: each["sha256"] for each in _plugins(manifest) if "sha256" in each}


def _plugins(manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    distributions = manifest.get("distributions")
    return distributions if isinstance(distributions, list) else []
