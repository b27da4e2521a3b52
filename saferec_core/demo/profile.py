"""The demo as a configuration."""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import yaml

from saferec_core.demo.folder import build
from saferec_core.processes import from_main

__all__ = ["demo_settings"]


def demo_settings(output_dir: Path, *, seed: int) -> dict[str, Any]:
    """Return the settings of the demo, its files made in *output_dir* unless they are there.

    The files lie in ``demo-seed<seed>`` and are left as they are once made, whatever a user does to
    them.
    """
    folder = from_main(lambda: _made(output_dir / f"demo-seed{seed}", seed))
    text = files("saferec_core.demo").joinpath("settings.yaml").read_text(encoding="utf-8")
    settings: dict[str, Any] = yaml.safe_load(text)
    settings["seed"] = seed
    settings["model"] = {"model": str(folder / "model")}
    settings["data"] = {f"{split}_path": str(folder / f"{split}.jsonl") for split in _SPLITS}
    settings["data"]["catalog_path"] = str(folder / "catalog.jsonl")
    settings["oracle"] = {"name": "table", "path": str(folder / "oracle.jsonl")}
    return settings


_SPLITS = ("train", "validation", "test")


def _made(folder: Path, seed: int) -> Path:
    """Build the folder beside its place and move it there whole, so that it is never half made."""
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(mkdtemp(prefix=".demo-", dir=folder.parent))
        try:
            build(unfinished, seed=seed)
            unfinished.chmod(0o755)
            unfinished.replace(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return folder
