"""Packages with plugins to install into this process, and the plugins that are then found."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Write a package with metadata, and put it on the path for this test."""
    modules: list[str] = []

    def write(
        name: str,
        code: str,
        *,
        version: str = "1.2.3",
        requires: str = "",
        entry_points: bytes | None = None,
        metadata: bytes | None = None,
        folder: str = "",
    ) -> None:
        site, module = tmp_path / f"site-{name}", name.replace("-", "_")
        information = site / (folder or f"{module}-{version}.dist-info")
        information.mkdir(parents=True)
        if metadata is None:
            needs = f"Requires-Dist: {requires}\n" if requires else ""
            metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}".encode()
        (information / "METADATA").write_bytes(metadata)
        points = entry_points or f"[saferec]\nmain = {module}\n".encode()
        (information / "entry_points.txt").write_bytes(points)
        (site / f"{module}.py").write_text(code, encoding="utf-8")
        monkeypatch.syspath_prepend(site)
        sys.modules.pop(module, None)  # of an earlier test
        modules.append(module)

    yield write
    for module in modules:
        sys.modules.pop(module, None)


@pytest.fixture
def load() -> Callable[..., Any]:
    """Load the plugins as a command does."""
    from saferec_core.plugins.manager import load_plugins

    return load_plugins
