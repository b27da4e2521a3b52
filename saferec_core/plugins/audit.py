"""What is installed as a plugin: distributions, their files as they are on disk, hooks and components."""

from __future__ import annotations

import csv
import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import Distribution, EntryPoint
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any

from saferec_core.plugins.discovery import InstalledPlugin, installed_plugins
from saferec_core.plugins.offered import Plugins

__all__ = ["audit"]


def audit(plugins: Plugins) -> list[dict[str, Any]]:
    """Describe every distribution that offers plugins, as JSON has it.

    Each has its name, version and location, whether it is editable, its entry points, the hooks that it
    implements, its components and why entry points failed to load. ``files`` counts its files, ``sha256`` is
    a hash of them all; ``changed`` and ``missing`` name files that are not what was installed, which pip
    recorded. Of a distribution without a record, as an editable one, the files of the packages that its entry
    points name are hashed.
    """
    by_distribution: dict[str, list[InstalledPlugin]] = {}
    for plugin in installed_plugins():
        by_distribution.setdefault(plugin.origin.distribution, []).append(plugin)
    return [_described(name, offered, plugins) for name, offered in sorted(by_distribution.items())]


def _described(name: str, offered: Sequence[InstalledPlugin], plugins: Plugins) -> dict[str, Any]:
    distribution, version = offered[0].distribution, offered[0].origin.version
    points = [plugin.point for plugin in offered if plugin.point is not None and not plugin.fault]
    editable = _is_editable(distribution)
    recorded_files = {} if editable else dict(_recorded(distribution))
    files = recorded_files or dict(_package_files(points))
    hashes = {path: _hash(file) for path, (file, _) in files.items()}
    components = [entry for entry in plugins if entry.origin.distribution == name]
    observed = {hook.name for hook in plugins.lifecycle_hooks if hook.origin.distribution == name}
    return {
        "distribution": name,
        "version": version,
        "location": str(distribution.locate_file("")),
        "editable": editable,
        "entry_points": {point.name: point.value for point in sorted(points, key=lambda point: point.name)},
        "hooks": sorted({*map(_hook_of, {entry.kind for entry in components}), *observed}),
        "components": [f"{entry.kind}:{entry.name}" for entry in components],
        "broken": {
            broken.origin.entry_point: broken.reason
            for broken in plugins.broken
            if broken.origin.distribution == name
        },
        "files": len(files),
        "sha256": _hash_of_all(hashes),
        "changed": sorted(
            path
            for path, (_, recorded) in files.items()
            if recorded and hashes[path] and recorded != hashes[path]
        ),
        "missing": sorted(path for path in files if hashes[path] is None),
    }


def _hook_of(kind: str) -> str:
    return f"saferec_register_{kind}{'' if kind == 'evidence' else 's'}"


def _is_editable(distribution: Distribution) -> bool:
    try:
        text = distribution.read_text("direct_url.json")
        return bool(json.loads(text or "{}").get("dir_info", {}).get("editable", False))
    except (ValueError, OSError, AttributeError):
        return False


def _recorded(distribution: Distribution) -> Iterator[tuple[str, tuple[Path, str]]]:
    """Yield the files of a distribution, where they are and the hash that was recorded, if legible.

    From Python 3.12 on ``distribution.files`` leaves out missing ones, so the record itself is read.
    """
    try:
        rows = list(csv.reader((distribution.read_text("RECORD") or "").splitlines()))
    except (ValueError, OSError, csv.Error):  # a record that is not text
        return
    for name, recorded, *_ in ((*row, "", "") for row in rows if row):
        if not _is_incidental(PurePosixPath(name)):
            kind, _, digest = recorded.partition("=")
            yield name, (Path(str(distribution.locate_file(name))), digest if kind == "sha256" else "")


def _is_incidental(file: PurePosixPath) -> bool:
    """Tell whether a file belongs to the installation and not to what was installed."""
    return file.suffix == ".pyc" or ".." in file.parts or file.parent.name.endswith(".dist-info")


def _package_files(points: Iterable[EntryPoint]) -> Iterator[tuple[str, tuple[Path, str]]]:
    """Yield the files of the packages that entry points name."""
    for package in sorted({point.module.partition(".")[0] for point in points}):
        try:
            spec = find_spec(package)
        except (ImportError, ValueError):
            continue
        if spec is not None and not spec.submodule_search_locations and spec.origin:
            yield Path(spec.origin).name, (Path(spec.origin), "")  # a module without a package
        for folder in map(Path, (spec and spec.submodule_search_locations) or ()):
            for file in sorted(folder.rglob("*")):
                if file.is_file() and file.suffix != ".pyc":
                    yield f"{package}/{file.relative_to(folder).as_posix()}", (file, "")


def _hash(file: Path) -> str | None:
    """Return the SHA-256 of a file as wheels record it; None if it cannot be read."""
    try:
        digest = hashlib.sha256(file.read_bytes()).digest()
    except OSError:
        return None
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def _hash_of_all(hashes: Mapping[str, str | None]) -> str:
    lines = (f"{digest}  {path}\n" for path, digest in sorted(hashes.items()))
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
