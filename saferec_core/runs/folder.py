"""Make and fill the folder of a run."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from saferec_core.config.schema import RunConfig, StageConfig
from saferec_core.config.settings import as_yaml
from saferec_core.data.json_lines import finite
from saferec_core.errors import RunError, SaferecError
from saferec_core.files import beside, remove, write_text
from saferec_core.plugins.offered import Plugins
from saferec_core.runs.continuity import check_data, other_versions
from saferec_core.runs.distributed import is_main, launch_facts
from saferec_core.runs.layout import RunLayout
from saferec_core.runs.manifest import Stage, is_finished, manifest_of, read_manifest

__all__ = ["RunFolder"]


class RunFolder(RunLayout):
    """The folder of one run, as it is made and filled."""

    @classmethod
    def create(cls, config: StageConfig, command: str) -> RunFolder:
        """Make a new folder and write the resolved configuration into it.

        Its name is made of the time, the command and a hash of the settings unless the run is named.

        Raises:
            RunError: A folder of that name already exists, or cannot be made.
        """
        text = as_yaml(config)
        digest = hashlib.sha256(text.encode()).hexdigest()[:6]
        stamp = datetime.now(tz=UTC).strftime("%Y%m%d-%H%M%S")
        path = config.output_dir / (config.run_name or f"{stamp}-{command}-{digest}")
        return cls._make(path, text)

    @contextmanager
    def discarded_unless(self, anything_was_done: Callable[[], bool]) -> Iterator[None]:
        """Remove the folder if the run fails before anything was trained in it.

        A corrected command can then use the same name.

        Args:
            anything_was_done: Asked when the run has failed.
        """
        try:
            yield
        except SaferecError:
            if is_main() and not anything_was_done():
                shutil.rmtree(self.path)
            raise

    def make_sft(self, config: RunConfig) -> RunFolder:
        """Make the folder of the Safe SFT that this run begins with."""
        return self._make(self.sft.path, as_yaml(config))

    @classmethod
    def _make(cls, path: Path, config_text: str) -> RunFolder:
        """Make a folder that is there with its configuration or not at all, so that it can be resumed."""
        draft = beside(path, f"{os.getpid()}.draft")  # another command may make a run of that name too
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with _removed_afterwards(draft):
                draft.mkdir(exist_ok=True)
                write_text(draft / cls(path).config.name, config_text)
                if not path.exists():  # an empty folder would be replaced
                    draft.rename(path)
                    return cls(path)
        except OSError as error:
            was_faster = error.errno in {errno.ENOTEMPTY, errno.EEXIST} and path.exists()  # another command
            if not was_faster:
                raise RunError(f"run folder {path} cannot be made: {error}") from error
        raise RunError(_taken(RunLayout(path)))

    @staticmethod
    def append(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
        """Append rows to a JSONL file, such as that of the metrics; NaN is written as null.

        Raises:
            RunError: The file cannot be written.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8") as file:
                for row in rows:
                    file.write(json.dumps(finite(row), ensure_ascii=False) + "\n")
        except OSError as error:
            raise RunError(f"{path} cannot be written: {error.strerror or error}") from error

    @staticmethod
    def write_json(path: Path, content: Any) -> None:
        """Write a JSON file, such as the summary of an evaluation; NaN is written as null."""
        text = json.dumps(finite(content), indent=2, ensure_ascii=False)
        write_text(path, text + "\n")

    def write_manifest(self, config: RunConfig, plugins: Plugins, stage: Stage) -> list[str]:
        """Write what the run is made with, so far as that is known before it starts.

        That of a run that is resumed keeps when it was created and what it began with, and lists when and how
        it was resumed.

        Returns:
            A sentence if a run is resumed with other versions than it began with.

        Raises:
            RunError: A run is resumed with other data than it began with.
        """
        facts = {**manifest_of(config, plugins, stage), "launch": launch_facts()}
        notes = []
        if known := read_manifest(self):
            check_data(self, known, facts)
            notes = other_versions(known, facts)
            resumed = {"time": facts["created"], "command": facts["command"], "launch": facts["launch"]}
            facts["resumes"] = [*known.get("resumes", ()), resumed]
            facts |= {name: known[name] for name in ("created", "start", "reference") if name in known}
        self.write_json(self.manifest, facts)
        return notes

    def extend_manifest(self, facts: Mapping[str, Any]) -> None:
        """Add to the manifest what is known only once the run is under way."""
        self.write_json(self.manifest, {**read_manifest(self), **facts})


@contextmanager
def _removed_afterwards(draft: Path) -> Iterator[None]:
    try:
        yield
    finally:
        remove(draft)


def _taken(run: RunLayout) -> str:
    """Say what stands where a run folder was to be made, and what to do."""
    if not run.exists:
        return f"{run.path} already exists and is not a run folder; choose another --run-name"
    if is_finished(run):
        return (
            f"run folder {run.path} holds a finished run and is not overwritten; choose another --run-name, "
            f"or look at it with 'saferec report {run.path}'"
        )
    return (
        f"run folder {run.path} already exists and is not overwritten; continue that run with --resume, or "
        "choose another --run-name"
    )
