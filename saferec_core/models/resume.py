"""A journal of generated batches, so that a killed evaluation resumes where it was."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from saferec_core.errors import RunError
from saferec_core.files import json_hash
from saferec_core.runs.distributed import process_index
from saferec_core.runs.layout import RunLayout

__all__ = ["Journal", "journal_of", "key_of"]


class Journal:
    """A JSONL file with a line per batch of completions, under the key of all they depend on.

    Batches are looked up by key alone: another policy, decoding, seed, batch size or prompt has other
    keys, so what an earlier evaluation left behind is simply not used. A line that was being written when
    the process was killed counts as absent.
    """

    def __init__(self, path: Path) -> None:
        """Read what is there.

        Raises:
            RunError: The file cannot be read.
        """
        self.path = path
        self._batches: dict[str, Any] = {}
        self._ends_in_line = True
        try:
            text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        except OSError as error:
            raise RunError(f"completions generated earlier cannot be read from {path}: {error}") from error
        for line in text.splitlines(keepends=True):
            self._ends_in_line = line.endswith("\n")
            try:
                row = json.loads(line)
                self._batches[row["key"]] = row["completions"]
            except (ValueError, KeyError, TypeError):
                continue  # cut off
        self.used = 0
        """How many batches were reused."""

    def get(self, key: str) -> Any | None:
        """Return the completions of a batch, or None."""
        completions = self._batches.get(key)
        self.used += completions is not None
        return completions

    def add(self, key: str, completions: Any) -> None:
        """Keep the completions of a batch, on disk before this returns."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                start = "" if self._ends_in_line else "\n"
                row = {"key": key, "completions": completions}
                file.write(f"{start}{json.dumps(row, ensure_ascii=False)}\n")
        except OSError as error:
            raise RunError(f"completions cannot be kept in {self.path}: {error}") from error
        self._ends_in_line = True

    def remove(self) -> None:
        """Delete the file; its completions stand in the results by now."""
        self.path.unlink(missing_ok=True)


def journal_of(run: RunLayout, name: str) -> Journal:
    """Return the journal of a run's evaluation; each process that takes part has its own."""
    process = process_index()
    return Journal(run.journal(f"{name}-{process}" if process else name))


def key_of(policy: str, decoding: Mapping[str, Any], number: int, batch: Sequence[Any]) -> str:
    """Return the key of a batch.

    Args:
        policy: Hash of the policy.
        decoding: Every setting of the decoding.
        number: Number of the batch, from which its seed is derived.
        batch: The prompts as the policy reads them.
    """
    return json_hash([policy, dict(decoding), number, list(batch)])
