"""The output of a chain: written as a whole or not at all, without overwriting the user's own files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from saferec_core.errors import ConfigError, RunError
from saferec_core.files import beside, remove, replacing

__all__ = [
    "LOSSES",
    "alone_at",
    "check_output",
    "check_paths",
    "is_file_name",
    "is_up_to_date",
    "losses_of",
    "manifest_of",
    "publishing",
    "write_manifest",
]

LOSSES = ("removed", "rejects")
"""Rows that steps leave out, by kind."""


def is_file_name(output: Path) -> bool:
    """Return whether an output is one file, not a folder with a file for each split."""
    return output.suffix == ".jsonl"


def manifest_of(output: Path) -> Path:
    """Return the path of the manifest, which describes what an output was made from."""
    return output.with_suffix(".manifest.json") if is_file_name(output) else output / "manifest.json"


def losses_of(output: Path, kind: str) -> Path:
    """Return the path of the file with removed or rejected rows."""
    return output.with_suffix(f".{kind}.jsonl") if is_file_name(output) else output / f"{kind}.jsonl"


def check_paths(output: Path, source: Path, cache: Path) -> None:
    """Refuse an output that would replace its own input or the cache.

    Raises:
        ConfigError: It has no name, is neither a .jsonl file nor a folder, is the input, contains it or lies
            within it, or is or contains the cache.
    """
    if output.name in {"", ".."}:
        raise ConfigError(f"output {str(output)!r}: expected the name of a .jsonl file or of a new folder")
    if not is_file_name(output) and output.suffix in {".json", ".parquet", ".csv", ".gz"}:
        raise ConfigError(
            f"output {output}: expected a name that ends with .jsonl, or a folder for a file per split "
            "(form: jsonl, parquet or datasets)"
        )
    read = source.resolve()
    for path in _paths_of(output):
        written = path.resolve()
        if written == read or written in read.parents or read in written.parents:
            raise ConfigError(
                f"output {path} is, contains or lies within the input {source}; name another output"
            )
    if output.resolve() in (cache.resolve(), *cache.resolve().parents):
        raise ConfigError(
            f"cache_dir {cache} lies within the output {output}, which is replaced as a whole; "
            "name another folder"
        )


@contextmanager
def alone_at(output: Path) -> Iterator[None]:
    """Lock this output, and complete a replacement that a killed process began.

    Raises:
        RunError: Another process is writing it, or its folder cannot be written.
    """
    lock = FileLock(beside(output, "lock"))
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout as error:
        raise RunError(f"another saferec is writing {output}; wait for it, or name another output") from error
    except OSError as error:
        raise RunError(f"{output} cannot be written: {error.strerror or error}.") from error
    try:
        _complete(output)
        yield
    finally:
        lock.release()


def is_up_to_date(output: Path, key: str) -> bool:
    """Return whether *output* exists, unchanged since it was made with this *key*."""
    made = _made(output)
    return made is not None and made["key"] == key and all(_are_there(output, made).values())


def check_output(output: Path, key: str, *, overwrite: bool) -> None:
    """Refuse to replace an output unless *overwrite* is set or it was made with the same *key*.

    Raises:
        RunError: The output exists and may not be replaced, or was not made by saferec.
    """
    if output.is_dir() and is_file_name(output):
        raise RunError(f"{output} is a folder; name a file, or a folder without a suffix")
    _refuse_foreign(output)
    made = _made(output)
    if made is None or overwrite or not output.exists():
        return
    if made["key"] != key:
        raise RunError(
            f"{output} already exists and was made from other inputs or settings; name another output, or "
            "replace it with --overwrite"
        )
    changed = [name for name, same in _are_there(output, made).items() if same is False]
    if changed:
        raise RunError(
            f"{output} already exists, but {changed[0]} has been changed since; name another output, or "
            "replace it with --overwrite"
        )


@contextmanager
def publishing(output: Path) -> Iterator[Path]:
    """Provide a draft folder for all files of *output*, which are moved into place once all are complete.

    Raises:
        RunError: The draft cannot be written, or files that saferec did not make are in the way.
    """
    whole = beside(output, "new") if is_file_name(output) else output
    with replacing(whole, output) as draft:
        draft.mkdir()
        yield draft
        _refuse_foreign(output)
    _complete(output)


def write_manifest(draft: Path, output: Path, content: Mapping[str, Any]) -> None:
    """Write the manifest, with the list of the output's files, to its draft."""
    files = {
        path.relative_to(draft).as_posix(): path.stat().st_size
        for path in sorted(draft.rglob("*"))
        if path.is_file()
    }
    text = json.dumps({**content, "files": files}, indent=2, ensure_ascii=False)
    (draft / manifest_of(output).name).write_text(text + "\n", encoding="utf-8")


def _complete(output: Path) -> None:
    """Complete a replacement that was interrupted between two renames."""
    aside, new = beside(output, "old"), beside(output, "new")
    try:
        if aside.exists() and not output.exists():
            aside.rename(output)
        if is_file_name(output) and (new / manifest_of(output).name).is_file():
            _put_in_place(new, output)
    except OSError as error:
        raise RunError(
            f"{output} cannot be moved into place: {error.strerror or error}. Run the same command "
            "again to complete it."
        ) from error


def _put_in_place(new: Path, output: Path) -> None:
    """Move the files of an output into place; the old manifest is removed first, the new one comes last."""
    manifest = manifest_of(output)
    files = json.loads((new / manifest.name).read_text(encoding="utf-8"))["files"]
    manifest.unlink(missing_ok=True)
    for path in _paths_of(output):
        if path.name not in files:
            path.unlink(missing_ok=True)
        elif (new / path.name).is_file():
            (new / path.name).replace(path)
    (new / manifest.name).replace(manifest)
    remove(new)


def _paths_of(output: Path) -> list[Path]:
    """Return the paths of everything that is written for an output."""
    if not is_file_name(output):
        return [output]
    return [output, *(losses_of(output, kind) for kind in LOSSES), manifest_of(output)]


def _made(output: Path) -> dict[str, Any] | None:
    """Read the manifest, if saferec wrote one."""
    try:
        made = json.loads(manifest_of(output).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return made if isinstance(made, dict) and "key" in made and isinstance(made.get("files"), dict) else None


def _are_there(output: Path, made: Mapping[str, Any]) -> dict[str, bool | None]:
    """Return for each file of an output whether its size is unchanged; None if it is missing."""
    folder = manifest_of(output).parent
    return {
        name: (folder / name).stat().st_size == size if (folder / name).is_file() else None
        for name, size in made["files"].items()
    }


def _refuse_foreign(output: Path) -> None:
    """Refuse to replace files that saferec did not write."""
    folder, made = manifest_of(output).parent, _made(output)
    paths = sorted(output.rglob("*")) if output.is_dir() else _paths_of(output)
    existing = [path for path in paths if path.is_symlink() or (path.exists() and not path.is_dir())]
    ours = set() if made is None else {*(folder / name for name in made["files"]), manifest_of(output)}
    foreign = [path for path in existing if path not in ours]
    if foreign and (made is None or foreign[0] == output):
        shown = output if output.exists() else foreign[0]
        raise RunError(
            f"{shown} already exists, was not made by 'saferec data' and is not overwritten; name another "
            "output"
        )
    if foreign:
        raise RunError(
            f"{foreign[0]} was not made by 'saferec data' and is not overwritten; move it, or name "
            "another output"
        )
