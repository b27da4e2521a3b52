"""Versions of packages: within saferec's ranges, not known to be vulnerable, and which engines exist."""

from __future__ import annotations

import platform
from collections.abc import Iterator

from saferec_core.doctor.finding import Finding
from saferec_core.runs.versions import install_vllm, installed, ranges, unsupported

__all__ = ["examine_versions"]


def examine_versions() -> Iterator[Finding]:
    """Yield a finding for everything that saferec needs or can use."""
    yield Finding("Python", "ok", platform.python_version())
    for entry in ranges():
        present = installed(entry.package)
        if present is None and not entry.extra:
            yield Finding(
                entry.package, "problem", "is missing", f"pip install '{entry.package}{entry.specifier}'"
            )
        elif present is None:
            way = install_vllm() if entry.package == "vllm" else f"saferec[{entry.extra}]"
            yield Finding(entry.package, "ok", f"not installed; optional: {way}")
        elif problem := unsupported(entry.package):
            detail, _, remedy = problem.partition(": ")
            yield Finding(entry.package, "problem", detail, remedy)
        else:
            yield Finding(entry.package, "ok", f"{present} (supported: {entry.specifier})")
