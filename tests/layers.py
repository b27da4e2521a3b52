"""Fresh environments on top of what is installed here, to install packages into without a network."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class Layer(NamedTuple):
    """An environment: its interpreter, and the variables that commands in it run with."""

    python: Path
    variables: dict[str, str]

    def install(self, *packages: Path | str) -> None:
        """Install packages from folders or wheels, with what is there to build them."""
        run = [self.python.parent / "pip", "install", "--quiet", *packages]
        done = subprocess.run(run, env=self.variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def run(self, *command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
        """Run a command with standard output and error as text."""
        return subprocess.run(
            list(map(str, command)), env=self.variables, cwd=cwd, capture_output=True, text=True, check=False
        )


def fresh_layer(folder: Path, below: Iterable[Path | str] | None = None) -> Layer:
    """Make an environment in *folder*, with ``saferec`` and ``pip`` as commands.

    Args:
        folder: Where to.
        below: The ``site-packages`` that it sees beside its own; those of this process unless given.
    """
    venv.create(folder, with_pip=False)
    (own,) = folder.glob("lib/python*/site-packages")
    paths = [path for path in sys.path if path.endswith("site-packages")] if below is None else below
    own.joinpath("zz_below.pth").write_text(
        "".join(f"import site; site.addsitedir({str(path)!r})\n" for path in paths)
    )
    python = folder / "bin" / "python"
    no_network = "PIP_NO_DEPS=1 PIP_NO_BUILD_ISOLATION=0 PIP_NO_INDEX=1 PIP_DISABLE_PIP_VERSION_CHECK=1"
    for name, line in {
        "saferec": f'exec {python} -m saferec_cli "$@"',
        "pip": f'{no_network} exec {sys.executable} -m pip --python {python} "$@"',
    }.items():
        script = folder / "bin" / name
        script.write_text(f"#!/bin/sh\n{line}\n")
        script.chmod(0o755)
    variables = {
        **{key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "COV"))},
        "PATH": os.pathsep.join([str(folder / "bin"), os.environ["PATH"]]),
        "PYTHONPATH": "",
        "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1",
        "COLUMNS": "110",
        "NO_COLOR": "1",
    }
    return Layer(python, variables)
