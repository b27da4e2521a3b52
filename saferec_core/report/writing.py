"""Write a report: everything that is known about runs, in one file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from saferec_core.errors import RunError
from saferec_core.files import write_text
from saferec_core.report.content import page_content
from saferec_core.report.page import GENERATOR, check_report_extras, render_page
from saferec_core.report.reading import read_runs

__all__ = ["write_report"]


def write_report(folders: Sequence[Path], out: Path, *, overwrite: bool = False) -> Path:
    """Write one self-contained HTML page about the runs in *folders*.

    Args:
        folders: Run folders; later ones are compared with the first.
        out: The file to write. It is written as a whole or not at all.
        overwrite: Replace *out* even if it is not a report.

    Returns:
        *out*.

    Raises:
        ConfigError: A package that pages are made with is missing.
        RunError: A folder is not a run folder, or *out* exists and is not a report.
        DataError: A file of a run is damaged; the message names it.
    """
    check_report_extras()
    runs = read_runs(folders)
    _check_replaceable(out, overwrite=overwrite)
    page = render_page(page_content(runs))
    write_text(out, page)
    return out


def _check_replaceable(out: Path, *, overwrite: bool) -> None:
    if out.is_dir():
        raise RunError(f"{out} is a folder; name the file to write, such as {out / 'report.html'}")
    if not out.exists() or overwrite:
        return
    with out.open("rb") as file:
        if GENERATOR.encode() in file.read(2000):
            return
    raise RunError(f"{out} exists and is not a saferec report; choose another --out, or give --overwrite")
