"""Refuse British spelling and phrases that a native reader stumbles over.

    python tools/check_language.py     exit status 1, and every place, if there is one

The house writes American English, and every sentence as an engineer would say it. Tests may quote anything.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent

BRITISH = (
    r"behaviour|colour|favour|honour|neighbour|labour|centre[ds]?|catalogue|licence|grey|artefact|judgement|"
    r"analyse[drs]?|(?:normal|organ|recogn|token|optim|initial|random|summar|general|minim|maxim)is(?:e[drs]?|ing|ation)|"
    r"(?:label|model|cancel|travel)l(?:ed|ing)|misspelt|spelt|learnt|whilst|amongst|defence|fulfil(?!l)"
)
PHRASES = {
    r"\bthe research codes?\b": "name the reference implementation",
    r"\bis no (?:YAML|JSON|folder|run folder|report|claim|number|list|text|file)\b": "is not (a valid) ...",
    r"\b(?:is|are) there already\b": "already exists",
    r"\blikeliest\b": "most likely",
    r"\bheld against\b": "checked against, compared with",
    r"\bfor want of\b": "because there is no ...",
    r"\bnone the worse\b": "does not fail",
    r"\bdeals? (?:out|users)\b": "assigns",
    r"\b(?:is|are|was) told (?:of|that|by|before|with|what|its|to)\b": "is reported, is given",
    r"\bone can trust\b": "trustworthy",
    r"\ballows? one to\b": "say who can do what",
}
READ = {".py", ".md", ".html", ".js", ".css", ".toml", ".yaml", ".sh"}
LEFT_OUT = ("tests/", "tools/check_language.py", "plugins/saferec_plugins/evidence/rating_reasons.yaml")


def problems(lines: Iterable[str]) -> Iterator[str]:
    """Yield each problem of a text with the number of its line and what to write instead."""
    for number, line in enumerate(lines, start=1):
        for match in re.finditer(rf"(?<![A-Za-z])(?:{BRITISH})(?!by|ism|t)", line, re.IGNORECASE):
            yield f"{number}: {match[0]!r} is British spelling"
        for phrase, instead in PHRASES.items():
            for match in re.finditer(phrase, line, re.IGNORECASE):
                yield f"{number}: {match[0]!r}; write: {instead}"


def main() -> int:
    """Check every file that git knows; return the exit status."""
    listed = subprocess.run(
        ["git", "ls-files"],  # noqa: S607 - the git of whoever runs this
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    faults = [
        f"{name}:{problem}"
        for name in listed.stdout.splitlines()
        if Path(name).suffix in READ and not name.startswith(LEFT_OUT)
        for problem in problems((ROOT / name).read_text(encoding="utf-8").splitlines())
    ]
    print(*faults, sep="\n") if faults else print("no problem found")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
