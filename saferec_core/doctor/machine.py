"""The machine: GPUs, threads, and folders that runs are written to."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from saferec_core.doctor.finding import Finding

__all__ = ["examine_folder", "examine_gpus", "examine_threads"]

_GIB = 1 << 30
_LITTLE_SPACE = 5 * _GIB
"""Free space below which a handful of checkpoints of a small language model may not fit."""


def examine_gpus() -> Iterator[Finding]:
    """Yield a finding per GPU, or that there is none."""
    import torch  # slow to import

    if not torch.accelerator.is_available():
        yield Finding("GPU", "ok", "none; runs use the processor")
        return
    if not torch.cuda.is_available():
        kind = torch.accelerator.current_accelerator()
        yield Finding("GPU", "ok", f"{torch.accelerator.device_count()} x {kind}")
        return
    for number in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(number)
        free, total = torch.cuda.mem_get_info(number)
        detail = f"{number}: {properties.name}, {free / _GIB:.1f} of {total / _GIB:.1f} GiB free"
        if free < total / 2:
            yield Finding("GPU", "warning", detail, "another process holds its memory; see nvidia-smi")
        else:
            yield Finding("GPU", "ok", detail)


def examine_threads() -> Iterator[Finding]:
    """Yield how many threads torch uses, and what they do while they wait."""
    import torch  # slow to import

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = torch.get_num_threads()
    waiting = os.environ.get("OMP_WAIT_POLICY", "not set")
    detail = f"torch uses {threads} on {cores} cores, OMP_WAIT_POLICY is {waiting}"
    if threads > cores:
        yield Finding(
            "threads", "warning", detail, f"set OMP_NUM_THREADS={cores}: more threads than cores are slow"
        )
    elif threads > 1 and waiting.upper() != "PASSIVE":
        remedy = "set OMP_WAIT_POLICY=PASSIVE: threads that spin while they wait slow a busy machine down"
        yield Finding("threads", "warning", detail, remedy)
    else:
        yield Finding("threads", "ok", detail)


def examine_folder(topic: str, folder: Path) -> Iterator[Finding]:
    """Yield whether files can be written to a folder, or to where it would be made, and how many."""
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        yield Finding(topic, "problem", f"{folder} cannot be written: {reason}", "choose another folder")
        return
    free = shutil.disk_usage(existing).free
    detail = f"{folder} can be written, {free / _GIB:.0f} GiB free"
    if free < _LITTLE_SPACE:
        yield Finding(
            topic, "warning", detail, "checkpoints of large models may not fit; see --save-total-limit"
        )
    else:
        yield Finding(topic, "ok", detail)
