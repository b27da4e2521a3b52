"""Every command line of the documentation is one that the command line understands."""

import re
import shlex
from functools import cache
from itertools import takewhile
from pathlib import Path

import pytest
import typer

from saferec_cli.commands import app_for
from saferec_cli.everywhere import with_common_options_first

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path for pattern in ("README.md", "docs/*.md", "examples/**/README.md") for path in ROOT.glob(pattern)
)
USAGE_ERROR = typer.BadParameter.__mro__[1]  # typer has a click of its own
UNFINISHED = {"MissingParameter", "NoArgsIsHelpError", "BadOptionUsage"}  # a name in a sentence
KINDS = {"KIND": "reward"}  # what stands for one of a few words
CONTINUED = re.compile(r"\\\n\s*")
COMMAND = re.compile(r"^ *(?:\$ )?(?:[A-Z_]+=\S+ )?(?:\S*/bin/)?saferec +([a-z].*)$", re.MULTILINE)
FENCED = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"^ {4,}\S.*$", re.MULTILINE)
CODE = re.compile(r"`saferec ([a-z][^`]*)`")


def lines_of(page):
    """Return the command lines in a page's blocks of code."""
    text = CONTINUED.sub(" ", page.read_text(encoding="utf-8"))
    text = "\n".join([*FENCED.findall(text), *INDENTED.findall(FENCED.sub("", text))])
    return [match[1] for match in COMMAND.finditer(text)]


def words_of(line):
    """Split a line as a shell does, up to a comment or to what it is piped or redirected to."""
    shell = shlex.shlex(line, posix=True, punctuation_chars="();<>|&")
    shell.whitespace_split = True
    words = takewhile(lambda word: not set(word) <= set("();<>|&"), shell)
    return [KINDS.get(word, word.strip("[]")) for word in words]  # [--safe]: may be left out


@cache
def root_command():
    return typer.main.get_command(app_for([]))


def understand(command, name, words, parent=None):
    """Parse words as a command does, and those that are left as its subcommand does."""
    context = command.make_context(name, words, parent=parent)
    if hasattr(command, "resolve_command") and (rest := [*context._protected_args, *context.args]):
        name, command, words = command.resolve_command(context, rest)
        understand(command, name, words, context)


def checked(line, *, whole):
    """Return what is wrong with a command line; None if nothing is."""
    try:
        understand(root_command(), "saferec", with_common_options_first(words_of(line)))
    except typer.Exit:  # --help
        return None
    except USAGE_ERROR as error:
        if not whole and type(error).__name__ in UNFINISHED:
            return None
        return f"saferec {line}: {error.format_message()}"
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_are_understood(page):
    wrong = [checked(line, whole=True) for line in lines_of(page)]
    wrong += [checked(line, whole=False) for line in CODE.findall(page.read_text(encoding="utf-8"))]

    assert [error for error in wrong if error] == []


def test_a_command_line_that_does_not_exist_is_noticed():
    assert "No such command" in checked("evaluate RUN", whole=True)
    assert "No such option" in checked("eval RUN --guide", whole=True)
    assert "Missing argument" in checked("compare", whole=True)
    assert checked("eval RUN --guided", whole=True) is None
    assert checked("compare", whole=False) is None
