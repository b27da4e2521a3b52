"""Files that are derived from others, made once on a machine and mapped by all of its processes.

They lie in ``SAFEREC_CACHE``, else in ``saferec`` in the user's cache folder (``XDG_CACHE_HOME`` or
``~/.cache``), else, where that cannot be written, in the folder for temporary files. A file is named after
what it is made of: the content of its source, its options, and the code that makes it. Files that nobody has
used for a month are removed; you can remove all of them at any time.
"""

from __future__ import annotations

import os
import re
import stat
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import xxhash
from filelock import FileLock

from saferec_core.data.sealed_tables import is_whole
from saferec_core.errors import DataError, RunError
from saferec_core.files import data_hash, json_hash, replacing

__all__ = ["cache_folders", "find_derived", "is_worth_keeping", "make_derived", "writable_folder"]

SMALLEST = 1 << 20
"""Bytes; of a smaller source nothing is looked for, since it is read at once."""

_UNUSED_SECONDS = 30 * 24 * 3600


_HERE = Path(__file__).parent


def is_worth_keeping(source: Path) -> bool:
    """Return whether what is made of a source may be kept: of a folder, or a file of ``SMALLEST`` bytes.

    It may not where the source can be read only once, as a pipe.
    """
    return source.is_dir() or (source.is_file() and source.stat().st_size >= SMALLEST)


def find_derived(
    kind: str, source: Path | str, options: Mapping[str, Any], code: Path = _HERE
) -> Path | None:
    """Return the file that was made from a source earlier, None if there is none or it was damaged.

    It is not looked for where the source is not worth keeping (`is_worth_keeping`).

    Args:
        kind: What is made, such as ``"catalog"``.
        source: What it is made from: a file, or the hash of what exists in memory alone.
        options: Whatever else determines it, as JSON values.
        code: Folder of the code that makes it; that of this room always counts.
    """
    if isinstance(source, Path) and not is_worth_keeping(source):
        return None
    name = _name(kind, source, options, code)
    return next((path for folder in cache_folders() if _is_usable(path := folder / name)), None)


def make_derived(
    kind: str,
    source: Path | str,
    options: Mapping[str, Any],
    write: Callable[[Path], None],
    code: Path = _HERE,
) -> Path:
    """Make such a file, or return the one that another process has made meanwhile.

    Args:
        kind: As in `find_derived`.
        source: As in `find_derived`.
        options: As in `find_derived`.
        write: Writes it, with `saferec_core.data.sealed_tables.write_sealed`, to the path that it is given.
        code: As in `find_derived`.

    Raises:
        DataError: It cannot be written.
    """
    try:
        folder = writable_folder()
        path = folder / _name(kind, source, options, code)
        with FileLock(path.with_suffix(".lock")):
            if not _is_usable(path):
                _remove_unused(folder, kind)
                with replacing(path) as draft:
                    write(draft)
    except (OSError, RunError) as error:
        raise _cannot_keep(source, str(error)) from error
    return path


def writable_folder() -> Path:
    """Return the first of the cache's folders that this user alone may write to; it is made if need be.

    Raises:
        OSError: There is none.
    """
    problems = []
    for folder in cache_folders():
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            state = folder.lstat() if folder.parent == Path(tempfile.gettempdir()) else folder.stat()
            if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid() or state.st_mode & stat.S_IWOTH:
                raise PermissionError(0, "it is not a folder that this user alone may write to")
            with tempfile.TemporaryFile(dir=folder):
                return folder
        except OSError as error:
            problems.append(f"{folder}: {error.strerror or error}")
    raise OSError("; ".join(problems))


def _cannot_keep(source: Path | str, why: str) -> DataError:
    return DataError(
        f"what is made of {source}, to be mapped by all processes, cannot be kept ({why}). Set SAFEREC_CACHE "
        "to a folder with more space"
    )


def cache_folders() -> Iterator[Path]:
    """Yield the folders that may hold the cache, the preferred one first."""
    if named := os.environ.get("SAFEREC_CACHE"):
        yield Path(named)
        return
    with suppress(RuntimeError):  # a user without a home
        yield Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "saferec"
    yield Path(tempfile.gettempdir()) / f"saferec-cache-{os.getuid()}"


def _name(kind: str, source: Path | str, options: Mapping[str, Any], code: Path) -> str:
    made_of = {
        "content": data_hash(source) if isinstance(source, Path) else source,
        "name": source.name if isinstance(source, Path) else "",
        "options": dict(options),
        "code": [_hash_of(_HERE), _hash_of(code)],
    }
    return f"{kind}-{json_hash(made_of)[:24]}.arrow"


@cache
def _hash_of(folder: Path) -> str:
    """Return the hash of the code of a folder; this one decides how files are read and titles compared."""
    digest = xxhash.xxh3_128()
    for path in sorted(folder.glob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def _is_usable(path: Path) -> bool:
    try:
        if path.stat().st_uid != os.getuid() or not is_whole(path):
            return False
        path.touch()
    except OSError:
        return False
    return True


def _remove_unused(folder: Path, kind: str) -> None:
    """Remove files of this kind, and no other files, that nobody has used for long."""
    for path in folder.glob(f"{kind}-*.arrow"):
        with suppress(OSError):
            if (
                re.fullmatch(rf"{kind}-[0-9a-f]{{24}}\.arrow", path.name)
                and path.stat().st_mtime < time.time() - _UNUSED_SECONDS
            ):
                path.unlink()
                path.with_suffix(".lock").unlink()
