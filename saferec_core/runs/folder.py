"""Run folders: everything that one run was told, did and found."""

from __future__ import annotations

import hashlib
import json
import math
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from saferec_core.config.load import as_yaml
from saferec_core.config.schema import RunConfig, StageConfig
from saferec_core.errors import RunError, SaferecError
from saferec_core.files import data_hash
from saferec_core.plugins.manager import Plugins
from saferec_core.runs.distributed import is_main

__all__ = ["RunFolder", "now"]

_ENGINES = (
    "saferec",
    "torch",
    "transformers",
    "trl",
    "peft",
    "accelerate",
    "datasets",
    "tokenizers",
)


class RunFolder:
    """A folder of its own for one run.

    Holds ``config.yaml`` (resolved), ``manifest.json``, ``metrics.jsonl``, ``rollouts.jsonl``,
    ``checkpoints/``, ``policy/`` (the final or chosen weights) and ``evaluation/``.
    """

    def __init__(self, path: Path) -> None:
        """Refer to a run folder that is there."""
        self.path = path

    @classmethod
    def create(cls, config: StageConfig, command: str) -> RunFolder:
        """Make a new folder and write the resolved configuration into it.

        Its name is made of the time, the command and a hash of the settings unless the run is named.

        Raises:
            RunError: A folder of that name is there already, or cannot be made.
        """
        text = as_yaml(config)
        digest = hashlib.sha256(text.encode()).hexdigest()[:6]
        stamp = datetime.now(tz=UTC).strftime("%Y%m%d-%H%M%S")
        path = config.output_dir / (config.run_name or f"{stamp}-{command}-{digest}")
        return cls._make(path, text)

    @contextmanager
    def discarded_if_nothing_was_done(self) -> Iterator[None]:
        """Remove the folder if the run fails before its first step was logged or saved.

        A corrected command can then use the same name. What was trained is never removed.
        """
        try:
            yield
        except SaferecError:
            if is_main() and not any((*self.path.rglob("metrics.jsonl"), *self.path.rglob("checkpoint-*"))):
                shutil.rmtree(self.path)
            raise

    def nested(self, name: str, config: RunConfig) -> RunFolder:
        """Make a folder for a stage of this run."""
        return self._make(self.path / name, as_yaml(config))

    @classmethod
    def _make(cls, path: Path, config_text: str) -> RunFolder:
        try:
            path.mkdir(parents=True, exist_ok=False)
        except FileExistsError as error:
            raise RunError(
                f"run folder {path} is there already and is not overwritten; continue that run with "
                "--resume, or choose another --run-name"
            ) from error
        except OSError as error:
            raise RunError(f"run folder {path} cannot be made: {error}") from error
        (path / "config.yaml").write_text(config_text, encoding="utf-8")
        return cls(path)

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def policy(self) -> Path:
        """Folder of the weights that the run ended with or chose."""
        return self.path / "policy"

    def append(self, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Append rows to a JSONL file of the folder; NaN is written as null."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            for row in rows:
                file.write(json.dumps(_finite(row), ensure_ascii=False) + "\n")

    def write_json(self, name: str, content: Any) -> None:
        """Write a JSON file of the folder."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(_finite(content), indent=2, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")

    def write_manifest(self, config: RunConfig, plugins: Plugins) -> None:
        """Write what the run was made with: versions, plugins, data and state of the source."""
        names = {"train_path", "validation_path", "test_path", "catalog_path"}
        data: dict[str, Path | None] = config.data.model_dump(include=names)
        for option, value in (config.oracle.options if config.oracle else {}).items():
            if isinstance(value, str | Path) and Path(value).is_file():
                data[f"oracle.{option}"] = Path(value)
        self.write_json(
            "manifest.json",
            {
                "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
                "created": now(),
                "seed": config.seed,
                "python": platform.python_version(),
                "versions": {name: _version(name) for name in _ENGINES},
                "plugins": {
                    f"{entry.kind}:{entry.name}": f"{entry.origin.distribution} {entry.origin.version}"
                    for entry in plugins
                },
                "data": {
                    name: {"path": str(path), "sha256": data_hash(path)}
                    for name, path in data.items()
                    if path is not None
                },
                "git": _git_state(),
            },
        )

    def extend_manifest(self, facts: Mapping[str, Any]) -> None:
        """Add to the manifest what is known only once the run is under way."""
        path = self.path / "manifest.json"
        known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        self.write_json("manifest.json", {**known, **facts})


def now() -> str:
    """Return the time, as manifests state it."""
    return datetime.now(tz=UTC).isoformat(timespec="seconds")


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def _git_state() -> Mapping[str, Any] | None:
    """Return commit and cleanliness of the repository that the run was started in, if any."""
    try:
        commit, changes = (
            subprocess.run(  # noqa: S603 - fixed arguments
                ["git", *arguments],  # noqa: S607 - the user's git
                capture_output=True,
                text=True,
                check=True,
                timeout=10,
            ).stdout.strip()
            for arguments in (["rev-parse", "HEAD"], ["status", "--porcelain"])
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "clean": not changes}


def _finite(value: Any) -> Any:
    """Replace what is no number by None, which JSON can say."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return value
