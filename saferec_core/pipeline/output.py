"""What a chain leaves for its user: complete or not at all, and nothing of theirs overwritten."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from saferec_core.errors import ConfigError, RunError

__all__ = ["check_output", "is_file_name", "is_up_to_date", "manifest_of", "replacing", "write_json"]


def is_file_name(output: Path) -> bool:
    """Tell whether an output is one file, not a folder with a file for each split."""
    return output.suffix == ".jsonl"


def manifest_of(output: Path) -> Path:
    """Name the file that tells what an output was made of."""
    return output.with_suffix(".manifest.json") if is_file_name(output) else output / "manifest.json"


def is_up_to_date(output: Path, key: str) -> bool:
    """Tell whether *output* is there and was made with this *key*."""
    try:
        made = json.loads(manifest_of(output).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return output.exists() and isinstance(made, dict) and made.get("key") == key


def check_output(output: Path, *, overwrite: bool) -> None:
    """Refuse to replace what a user may miss.

    Raises:
        ConfigError: It is neither a .jsonl file nor a folder.
        RunError: There is something, and it may not be replaced or is none of ours.
    """
    if not is_file_name(output) and output.suffix in {".json", ".parquet", ".csv", ".gz"}:
        raise ConfigError(
            f"output {output}: wanted a name that ends with .jsonl, or a folder for a file per split (form: "
            "jsonl, parquet or datasets)"
        )
    aside = _beside(output, "old")
    if aside.exists() and not output.exists():
        aside.rename(output)  # the last replacement was cut off between two renames
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return
    if output.is_dir() and is_file_name(output):
        raise RunError(f"{output} is a folder; name a file, or a folder without a suffix")
    if not manifest_of(output).is_file():
        raise RunError(
            f"{output} is there already, was not made by 'saferec data' and is not overwritten; name another "
            "output"
        )
    if not overwrite:
        raise RunError(
            f"{output} is there already and was made of something else; name another output, or replace it "
            "with --overwrite"
        )


@contextmanager
def replacing(output: Path) -> Iterator[Path]:
    """Give a place for a draft, which takes the place of *output* once it is complete.

    Raises:
        RunError: The draft cannot be written; what was there is as it was.
    """
    draft, aside = _beside(output, "draft"), _beside(output, "old")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        _remove(draft)
        try:
            yield draft
            if output.is_dir():
                _remove(aside)
                output.rename(aside)
            os.replace(draft, output)  # noqa: PTH105 - also for folders
        finally:
            _remove(draft)
        _remove(aside)
    except OSError as error:
        raise RunError(
            f"{output} cannot be written: {error.strerror or error}. What was there before is unchanged."
        ) from error


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file; it is there whole or not at all."""
    with replacing(path) as draft:
        draft.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _beside(output: Path, what: str) -> Path:
    return output.with_name(f".{output.name}.{what}")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
