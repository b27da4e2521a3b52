"""Verdicts as JUnit XML, which pipelines know how to show."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from saferec_core.errors import RunError

__all__ = ["Case", "write_junit"]

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Case:
    """One thing that was checked."""

    name: str
    passed: bool
    text: str
    """The outcome; the reason where it did not pass."""


def write_junit(path: Path, suite: str, group: str, cases: Sequence[Case]) -> None:
    """Write one test suite with a test case for each thing that was checked.

    Args:
        path: File to write; its folder is made if need be.
        suite: Name of the suite.
        group: What the cases belong to (``classname``).
        cases: What was checked.

    Raises:
        RunError: The file cannot be written.
    """
    failures = str(sum(not case.passed for case in cases))
    counts = {"tests": str(len(cases)), "failures": failures, "errors": "0", "skipped": "0"}
    root = ET.Element("testsuites", {"name": _clean(suite), **counts})
    inner = ET.SubElement(root, "testsuite", {"name": _clean(suite), **counts})
    for case in cases:
        shown = ET.SubElement(inner, "testcase", {"classname": _clean(group), "name": _clean(case.name)})
        if not case.passed:
            failure = ET.SubElement(shown, "failure", {"message": _clean(case.text), "type": "claim"})
            failure.text = _clean(case.text)
        ET.SubElement(shown, "system-out").text = _clean(case.text)
    ET.indent(root)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error}") from error


def _clean(text: str) -> str:
    """Leave out characters that XML cannot hold, escaped or not."""
    return _NOT_XML.sub("", text)
