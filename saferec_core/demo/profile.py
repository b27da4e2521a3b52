"""The demo as a configuration."""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import yaml

from saferec_core.demo.folder import write_demo

__all__ = ["demo_folder", "demo_settings", "make_demo"]


def demo_folder(output_dir: Path, seed: int, max_records: int | None = None) -> Path:
    """Return where the demo's files are, or will be; one with fewer records has a folder of its own."""
    return output_dir / (f"demo-seed{seed}" + (f"-first{max_records}" if max_records else ""))


def demo_settings(output_dir: Path, *, seed: int, max_records: int | None = None) -> dict[str, Any]:
    """Return the settings of the demo; its files are made by :func:`make_demo`."""
    folder = demo_folder(output_dir, seed, max_records)
    text = files("saferec_core.demo").joinpath("settings.yaml").read_text(encoding="utf-8")
    settings: dict[str, Any] = yaml.safe_load(text)
    settings["seed"] = seed
    settings["model"] = {"model": str(folder / "model")}
    settings["data"] = {f"{split}_path": str(folder / f"{split}.jsonl") for split in _SPLITS}
    settings["data"]["catalog_path"] = str(folder / "catalog.jsonl")
    settings["oracle"] = {"name": "table", "path": str(folder / "oracle.jsonl"), "open_from": 1}
    return settings


def make_demo(output_dir: Path, *, seed: int, max_records: int | None = None) -> None:
    """Make the demo's files unless they are there; what is there is left as it is.

    Args:
        output_dir: The folder is made in it.
        seed: Seed of the demo's world.
        max_records: Records of each split; None: all.
    """
    from saferec_core.runs.distributed import from_main  # imports torch

    from_main(lambda: _made(demo_folder(output_dir, seed, max_records), seed, max_records))


_SPLITS = ("train", "validation", "test")


def _made(folder: Path, seed: int, max_records: int | None) -> Path:
    """Build the folder beside its place and move it there whole, so that it is never half made."""
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(mkdtemp(prefix=".demo-", dir=folder.parent))
        try:
            write_demo(unfinished, seed=seed, max_records=max_records)
            unfinished.chmod(0o755)
            unfinished.replace(folder)
        except OSError:
            if not folder.exists():  # else a run that started at the same moment has made the same
                raise
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return folder
