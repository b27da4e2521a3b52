"""What a chain leaves for its user: complete or not at all, and nothing of theirs overwritten."""

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
    "check_places",
    "is_file_name",
    "is_up_to_date",
    "losses_of",
    "manifest_of",
    "publishing",
    "write_manifest",
]

LOSSES = ("removed", "rejects")
"""What steps leave beside the rows."""


def is_file_name(output: Path) -> bool:
    """Tell whether an output is one file, not a folder with a file for each split."""
    return output.suffix == ".jsonl"


def manifest_of(output: Path) -> Path:
    """Name the file that tells what an output was made of."""
    return output.with_suffix(".manifest.json") if is_file_name(output) else output / "manifest.json"


def losses_of(output: Path, kind: str) -> Path:
    """Name the file with what the steps removed or rejected."""
    return output.with_suffix(f".{kind}.jsonl") if is_file_name(output) else output / f"{kind}.jsonl"


def check_places(output: Path, source: Path, cache: Path) -> None:
    """Refuse an output that would take the place of its own input or of the cache.

    Raises:
        ConfigError: It has no name, is neither a .jsonl file nor a folder, or is, holds or lies in the
            input, or is or holds the cache.
    """
    if output.name in {"", ".."}:
        raise ConfigError(f"output {str(output)!r}: wanted the name of a .jsonl file or of a new folder")
    if not is_file_name(output) and output.suffix in {".json", ".parquet", ".csv", ".gz"}:
        raise ConfigError(
            f"output {output}: wanted a name that ends with .jsonl, or a folder for a file per split (form: "
            "jsonl, parquet or datasets)"
        )
    read = source.resolve()
    for place in _places(output):
        written = place.resolve()
        if written == read or written in read.parents or read in written.parents:
            raise ConfigError(f"output {place} is, holds or lies in the input {source}; name another output")
    if output.resolve() in (cache.resolve(), *cache.resolve().parents):
        raise ConfigError(
            f"cache_dir {cache} lies in the output {output}, which is replaced whole; name another folder"
        )


@contextmanager
def alone_at(output: Path) -> Iterator[None]:
    """Keep other processes from this output, and complete what a killed one began to put there.

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
    """Tell whether *output* is there as it was made, and was made with this *key*."""
    made = _made(output)
    return made is not None and made["key"] == key and all(_are_there(output, made).values())


def check_output(output: Path, key: str, *, overwrite: bool) -> None:
    """Refuse to replace what a user may miss; what was made with the same *key* is made again.

    Raises:
        RunError: There is something, and it may not be replaced or is none of ours.
    """
    if output.is_dir() and is_file_name(output):
        raise RunError(f"{output} is a folder; name a file, or a folder without a suffix")
    _refuse_foreign(output)
    made = _made(output)
    if made is None or overwrite or not output.exists():
        return
    if made["key"] != key:
        raise RunError(
            f"{output} is there already and was made of something else; name another output, or replace it "
            "with --overwrite"
        )
    changed = [name for name, same in _are_there(output, made).items() if same is False]
    if changed:
        raise RunError(
            f"{output} is there already, but {changed[0]} was changed since; name another output, or "
            "replace it with --overwrite"
        )


@contextmanager
def publishing(output: Path) -> Iterator[Path]:
    """Give a folder for a draft of all files of *output*, which take their places once all are complete.

    Raises:
        RunError: The draft cannot be written, or there is something that is none of ours.
    """
    whole = beside(output, "new") if is_file_name(output) else output
    with replacing(whole, output) as draft:
        draft.mkdir()
        yield draft
        _refuse_foreign(output)
    _complete(output)


def write_manifest(draft: Path, output: Path, content: Mapping[str, Any]) -> None:
    """Write what an output was made of, and which files it consists of, to its draft."""
    files = {
        path.relative_to(draft).as_posix(): path.stat().st_size
        for path in sorted(draft.rglob("*"))
        if path.is_file()
    }
    text = json.dumps({**content, "files": files}, indent=2, ensure_ascii=False)
    (draft / manifest_of(output).name).write_text(text + "\n", encoding="utf-8")


def _complete(output: Path) -> None:
    """Do what is left of a replacement that was cut off between two renames."""
    aside, new = beside(output, "old"), beside(output, "new")
    try:
        if aside.exists() and not output.exists():
            aside.rename(output)
        if is_file_name(output) and (new / manifest_of(output).name).is_file():
            _put_in_place(new, output)
    except OSError as error:
        raise RunError(
            f"{output} cannot be put in its place: {error.strerror or error}. The same command completes it."
        ) from error


def _put_in_place(new: Path, output: Path) -> None:
    """Move the files of an output out of their folder, the manifest last; the old one goes first."""
    manifest = manifest_of(output)
    files = json.loads((new / manifest.name).read_text(encoding="utf-8"))["files"]
    manifest.unlink(missing_ok=True)
    for place in _places(output):
        if place.name not in files:
            place.unlink(missing_ok=True)
        elif (new / place.name).is_file():
            (new / place.name).replace(place)
    (new / manifest.name).replace(manifest)
    remove(new)


def _places(output: Path) -> list[Path]:
    """Name all that is written for an output."""
    if not is_file_name(output):
        return [output]
    return [output, *(losses_of(output, kind) for kind in LOSSES), manifest_of(output)]


def _made(output: Path) -> dict[str, Any] | None:
    """Read the manifest, if there is one of ours."""
    try:
        made = json.loads(manifest_of(output).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return made if isinstance(made, dict) and "key" in made and isinstance(made.get("files"), dict) else None


def _are_there(output: Path, made: Mapping[str, Any]) -> dict[str, bool | None]:
    """Tell of each file of an output whether it has its size, or None where it is missing."""
    folder = manifest_of(output).parent
    return {
        name: (folder / name).stat().st_size == size if (folder / name).is_file() else None
        for name, size in made["files"].items()
    }


def _refuse_foreign(output: Path) -> None:
    """Refuse to replace an output where something lies that we did not write."""
    folder, made = manifest_of(output).parent, _made(output)
    places = sorted(output.rglob("*")) if output.is_dir() else _places(output)
    there = [path for path in places if path.is_symlink() or (path.exists() and not path.is_dir())]
    ours = set() if made is None else {*(folder / name for name in made["files"]), manifest_of(output)}
    foreign = [path for path in there if path not in ours]
    if foreign and (made is None or foreign[0] == output):
        shown = output if output.exists() else foreign[0]
        raise RunError(
            f"{shown} is there already, was not made by 'saferec data' and is not overwritten; name another "
            "output"
        )
    if foreign:
        raise RunError(
            f"{foreign[0]} was not made by 'saferec data' and is not overwritten; move it away, or name "
            "another output"
        )
