"""The whole examination, in the order in which its parts can fail."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from saferec_core.doctor.finding import Finding
from saferec_core.doctor.versions import examine_versions
from saferec_core.plugins.offered import Plugins

__all__ = ["examine"]


def examine(plugins: Plugins, output_dir: Path) -> Iterator[Finding]:
    """Yield the findings, each as soon as it is known; about fifteen seconds, most of them imports.

    Args:
        plugins: What is installed.
        output_dir: Where runs would be written.
    """
    yield from examine_versions()
    from saferec_core.doctor.machine import examine_folder, examine_gpus, examine_threads

    yield Finding("plugins", "ok", f"{sum(1 for _ in plugins)} components")
    yield from examine_folder("run folders", output_dir)
    cache = os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface")
    yield from examine_folder("cache of models", Path(cache))
    yield from examine_gpus()
    yield from examine_threads()
    from saferec_core.doctor.gradient import examine_gradient  # imports TRL

    yield from examine_gradient(plugins)
