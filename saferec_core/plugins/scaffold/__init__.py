"""A new plugin package: what ``saferec plugins new`` writes."""

from __future__ import annotations

import json
import keyword
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import jinja2

from saferec_core import __version__
from saferec_core.errors import ConfigError, RunError, UnknownNameError
from saferec_core.files import replacing
from saferec_core.plugins.contracts import CONTRACTS

__all__ = ["KINDS", "Package", "new_package"]

_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")

_FILES: Mapping[str, str] = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    ".github/workflows/test.yml": "workflow.yml",
    "{package}/__init__.py": "hook.py",
    "{package}/{kind}.py": "{kind}.py",
    "{package}/py.typed": "py.typed",
    "tests/test_{kind}.py": "test_{kind}.py",
}
"""What a package consists of, and the template of each file."""

_SAMPLES: Mapping[str, Mapping[str, str]] = {"evidence": {"tests/table.csv": "table.csv"}}
"""What a package has beside these, by kind."""

_OBSERVER_FILES: Mapping[str, str] = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "README_observer.md",
    ".github/workflows/test.yml": "workflow.yml",
    "{package}/__init__.py": "observer.py",
    "{package}/py.typed": "py.typed",
    "tests/test_observer.py": "test_observer.py",
}
"""Those of an observer, which implements hooks and offers no component."""

KINDS = (*CONTRACTS, "observer")
"""What a new package can be."""


@dataclass(frozen=True)
class Package:
    """The names in a new package."""

    kind: str
    name: str
    summary: str = ""
    """What it does, in one line; empty: the files say where to write it."""

    @property
    def distribution(self) -> str:
        """What pip calls it."""
        return f"saferec-{self.name.replace('_', '-')}"

    @property
    def package(self) -> str:
        """What Python imports."""
        return self.distribution.replace("-", "_")

    @property
    def title(self) -> str:
        """What the kind is called in a sentence."""
        return "evidence source" if self.kind == "evidence" else self.kind

    def checked(self, folder: Path = Path()) -> str:
        """Return what follows ``saferec plugins check`` where the package lies in *folder*."""
        if self.kind == "observer":
            return self.distribution
        if self.kind == "evidence":
            table = shlex.quote(str(folder / "tests" / "table.csv"))
            return f"{self.name} --set path={table} --rows {table}"
        return self.name

    @property
    def component(self) -> str:
        """Name of the class."""
        words = [*re.split("[-_]", self.name.removesuffix(f"-{self.kind}")), self.kind]
        return "".join(word.capitalize() for word in words)

    @property
    def hook(self) -> str:
        """Name of the hook that offers it."""
        return f"saferec_register_{self.kind}{'' if self.kind == 'evidence' else 's'}"

    @property
    def contract(self) -> str:
        """The base class, as ``module:name``."""
        return CONTRACTS[self.kind]


def new_package(kind: str, name: str, folder: Path | None = None, *, summary: str = "") -> Path:
    """Write an installable package that offers one component, with tests that pass.

    Args:
        kind: Kind of the component, such as ``"reward"``; or ``"observer"``.
        name: What a run configuration will call it.
        folder: Where to; ``saferec-NAME`` unless given.
        summary: What it does, in one line, as ``saferec plugins list`` shows it.

    Returns:
        The folder.

    Raises:
        ConfigError: The name cannot be a component's.
        UnknownNameError: There are no components of this kind.
        RunError: The folder already exists.
    """
    if kind not in KINDS:
        raise UnknownNameError("kind of plugin", kind, KINDS)
    if not _NAME.fullmatch(name) or keyword.iskeyword(name):
        raise ConfigError(
            f"a component cannot be called {name!r}; expected lower-case words joined by '-' or '_', such as "
            "release-year"
        )
    package = Package(kind, name, " ".join(summary.split()))
    target = folder or Path(package.distribution)
    if target.exists():
        raise RunError(f"{target} already exists; choose another folder with --out, or remove it")
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader(__name__, "templates"),
        autoescape=False,  # noqa: S701 - code, not pages; the name is checked above
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    templates.filters["quoted"] = lambda text: json.dumps(text, ensure_ascii=False)
    with replacing(target) as draft:
        files = _OBSERVER_FILES if kind == "observer" else {**_FILES, **_SAMPLES.get(kind, {})}
        for path, template in files.items():
            file = draft / path.format(package=package.package, kind=kind)
            file.parent.mkdir(parents=True, exist_ok=True)
            text = templates.get_template(f"{template.format(kind=kind)}.jinja").render(
                plugin=package, version=_compatible()
            )
            file.write_text(text, encoding="utf-8")
    return target


def _compatible() -> str:
    """Return the versions of saferec that a package written for this one works with."""
    major, minor, *_ = __version__.split(".")
    return f">={major}.{minor},<{int(major) + 1}"
