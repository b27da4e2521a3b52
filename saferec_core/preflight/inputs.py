"""Whether the model and the data that a configuration names are there and look like what is wanted."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

from saferec_core.config.sections import DataConfig
from saferec_core.data.rows import read_rows
from saferec_core.errors import DataError
from saferec_core.preflight.problems import Problems
from saferec_core.runs.checkpoints import resolve_folder

__all__ = ["check_data", "check_model", "is_cached", "is_local"]

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
_TO_NAME = "a hub id, a model folder, a run folder or a GGUF file"


def is_local(reference: str) -> bool:
    """Tell whether a name can only mean a file or folder, not a model on the hub."""
    return (
        reference.startswith((".", "/", "~"))
        or reference.endswith(".gguf")
        or reference.count("/") > 1
        or Path(reference).exists()
        or ("/" in reference and Path(reference).parent.is_dir())
    )


def check_model(problems: Problems, reference: str | None, flag: str) -> None:
    """Check that *reference* can be a model, and that a local one is whole.

    Args:
        problems: Gets what is wrong.
        reference: The name as given.
        flag: What the user gives it by, such as ``"--model"``.
    """
    if reference is None:
        problems.add(f"{flag} is missing: name {_TO_NAME}")
        return
    path = Path(resolve_folder(reference))
    if not is_local(reference):
        if not _HUB_ID.fullmatch(reference):
            problems.add(f"{flag} {reference}: not {_TO_NAME}")
        elif os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}:
            _check_cached(problems, reference, flag)
    elif not path.exists():
        problems.add(f"{flag}: {reference} does not exist; name {_TO_NAME}")
    elif reference.endswith(".gguf"):
        if find_spec("gguf") is None:
            problems.add(f"{flag} {reference}: reading a GGUF file needs saferec[gguf]")
    elif not any((path / name).is_file() for name in ("config.json", "adapter_config.json", "config.yaml")):
        problems.add(f"{flag}: {reference} contains no model (no config.json); name {_TO_NAME}")


def is_cached(reference: str) -> bool:
    """Tell whether a model of the hub was downloaded before."""
    from huggingface_hub import try_to_load_from_cache  # only where the hub cannot or need not be asked
    from huggingface_hub.errors import HFValidationError

    try:
        return isinstance(try_to_load_from_cache(reference, "config.json"), str)
    except HFValidationError:  # no model of the hub can have this name
        return False


def _check_cached(problems: Problems, reference: str, flag: str) -> None:
    if not is_cached(reference):
        problems.add(
            f"{flag}: {reference} is neither a folder nor in the local hub cache, and HF_HUB_OFFLINE "
            "forbids downloading it"
        )


def check_data(problems: Problems, data: DataConfig, *, needs: Mapping[str, str], train: bool) -> None:
    """Check that the files of a run exist and that their first rows have the columns that are needed.

    Args:
        problems: Gets what is wrong.
        data: The files.
        needs: Columns that records need, each with what needs it.
        train: Whether training records are needed.
    """
    if train and data.train_path is None:
        problems.add("--train-path is missing: training records (JSONL, Parquet, or a datasets folder)")
    if data.catalog_path is None:
        problems.add("--catalog-path is missing: titles that may be recommended (JSONL, CSV or Parquet)")
    elif not data.catalog_path.is_file():
        state = "is a folder, not a file" if data.catalog_path.is_dir() else "does not exist"
        problems.add(f"--catalog-path: {data.catalog_path} {state}")
    for flag, path in (
        ("--train-path", data.train_path),
        ("--validation-path", data.validation_path),
        ("--test-path", data.test_path),
    ):
        if path is None:
            continue
        if not path.exists():
            problems.add(f"{flag}: {path} does not exist")
        elif not data.transforms:  # which may make the columns
            wanted = needs if flag == "--train-path" else {}
            _check_first_row(problems, path, flag, {"prompt": "every run", **wanted})


def _check_first_row(problems: Problems, path: Path, flag: str, needs: Mapping[str, str]) -> None:
    try:
        row = next(islice(read_rows(path), 1), None)
    except DataError as error:
        problems.add(f"{flag}: {error}")
        return
    if row is None:
        problems.add(f"{flag}: {path} holds no records; it needs at least one")
        return
    has = ", ".join(sorted(key for key, value in row.items() if value is not None))
    for column, who in needs.items():
        if row.get(column) is None:
            problems.add(
                f"{flag}: {path}, row 1: column {column!r} is missing; {who} needs it. Columns: {has}"
            )
