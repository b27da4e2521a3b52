"""Write docs/reference-plugins.md: every hook and contract, from the docstrings in the source.

python tools/plugin_reference.py           # write the page
python tools/plugin_reference.py --check   # exit status 1 if the page is not up to date
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import TypeVar

StatementT = TypeVar("StatementT", bound=ast.stmt)

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "reference-plugins.md"
PLUGINS = ROOT / "saferec_core" / "plugins"
TESTING = ROOT / "saferec_core" / "testing"

INTRODUCTION = """Generated from the docstrings by `python tools/plugin_reference.py`. How to write a plugin
is in [plugins.md](plugins.md), what stays as it is in [stability.md](stability.md)."""

KINDS = {
    "Rewards": ("reward", "RewardContract"),
    "Oracles": ("oracle", "OracleContract"),
    "Normalizers": ("normalizer", "NormalizerContract"),
    "Metrics": ("metric", "MetricContract"),
    "Transforms": ("transform", "TransformContract"),
    "Parsers": ("parser", "ParserContract"),
    "Evidence sources": ("evidence", "EvidenceContract"),
    "Alarms": ("alarm", "AlarmContract"),
}
"""Each kind of component, its module in contracts and testing, and its contract in the latter."""

RETURNED = {"oracle": "verdict", "parser": "parsed_list"}
"""The module in contracts of what a kind returns, where it has one of its own."""


def page() -> str:
    """Return the whole page."""
    parts = [
        "# Plugin reference",
        INTRODUCTION,
        "## Hooks",
        _text(ast.get_docstring(_module(PLUGINS / "hookspecs.py"))),
        *_hooks(),
        "## What rewards and metrics are given",
        *_module_part(PLUGINS / "contracts" / "judged_lists.py", depth=3),
        *_module_part(PLUGINS / "contracts" / "judge.py", depth=3),
    ]
    for title, (module, contract) in KINDS.items():
        parts += [
            f"## {title}",
            *_module_part(PLUGINS / "contracts" / f"{module}.py", depth=3),
            *(
                _module_part(PLUGINS / "contracts" / f"{RETURNED[module]}.py", depth=3)
                if module in RETURNED
                else ()
            ),
            f"### Properties of the contract: `saferec_core.testing.{contract}`",
            *_properties(TESTING / f"{module}.py", contract),
        ]
    parts += [
        "## Observers",
        *_module_part(PLUGINS / "contracts" / "lifecycle.py", depth=3),
        "### Properties of the contract: `saferec_core.testing.ObserverContract`",
        *_properties(TESTING / "observer.py", "ObserverContract"),
        "## Properties of every contract",
        _text(ast.get_docstring(_class(TESTING / "contract.py", "Contract"))),
        *_properties(TESTING / "contract.py", "Contract"),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _hooks() -> Iterator[str]:
    for function in _public(_module(PLUGINS / "hookspecs.py"), ast.FunctionDef):
        if function.name.startswith("saferec_"):
            yield f"### `{_signature(function)}`"
            yield _text(ast.get_docstring(function))


def _module_part(path: Path, *, depth: int) -> Iterator[str]:
    """Yield a module's docstring and its public classes and functions."""
    module = _module(path)
    yield _text(ast.get_docstring(module))
    exported = _exported(module)
    dotted = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for statement in module.body:
        if isinstance(statement, ast.ClassDef) and statement.name in exported:
            yield f"{'#' * depth} `{dotted}.{statement.name}`"
            yield from _class_part(statement)
        elif isinstance(statement, ast.FunctionDef) and statement.name in exported:
            yield f"{'#' * depth} `{dotted}.{_signature(statement)}`"
            yield _text(ast.get_docstring(statement))


def _class_part(statement: ast.ClassDef) -> Iterator[str]:
    yield _text(ast.get_docstring(statement))
    attributes = {each[0]: each for each in _attributes(statement)}.values()  # a property after its field
    if attributes:
        rows = (
            f"| `{name}` | {_code(hint)} | {_code(default)} | {meaning} |"
            for name, hint, default, meaning in attributes
        )
        yield "\n".join(["| attribute | type | default | meaning |", "|---|---|---|---|", *rows])
    for function in _public(statement, ast.FunctionDef):
        if _is_property(function) or (function.name.startswith("_") and function.name != "__call__"):
            continue
        yield f"**`{_signature(function)}`**"
        yield _text(ast.get_docstring(function))


def _attributes(statement: ast.ClassDef) -> Iterator[tuple[str, str, str, str]]:
    """Yield name, type, default and meaning of fields, declarations and properties."""
    for line, after in zip(statement.body, [*statement.body[1:], None], strict=True):
        if isinstance(line, ast.AnnAssign | ast.Assign):
            target = line.target if isinstance(line, ast.AnnAssign) else line.targets[0]
            name = ast.unparse(target)
            if not name.startswith("_"):
                hint = ast.unparse(line.annotation) if isinstance(line, ast.AnnAssign) else ""
                default = ast.unparse(line.value) if line.value is not None else ""
                yield name, _hint(hint), default, _cell(_string(after))
        elif isinstance(line, ast.FunctionDef) and not line.name.startswith("_") and _is_property(line):
            hint = ast.unparse(line.returns) if line.returns else ""
            yield line.name, _hint(hint), "", _cell(ast.get_docstring(line))


def _properties(path: Path, contract: str) -> Iterator[str]:
    """Yield what the author gives and what is tested."""
    statement = _class(path, contract)
    attributes = [each for each in _attributes(statement) if each[0] != "_changes"]
    if attributes:
        yield "The author may give:"
        yield "\n".join(f"- `{name}`: {meaning}" for name, _, _, meaning in attributes)
    tests = (f for f in _public(statement, ast.FunctionDef) if f.name.startswith("test_"))
    yield "\n".join(
        f"- **{f.name.removeprefix('test_').replace('_', ' ')}**: {_cell(ast.get_docstring(f))}"
        for f in tests
    )


def _is_property(function: ast.FunctionDef) -> bool:
    return any("property" in ast.unparse(decorator) for decorator in function.decorator_list)


def _module(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _class(path: Path, name: str) -> ast.ClassDef:
    return next(statement for statement in _public(_module(path), ast.ClassDef) if statement.name == name)


def _public(parent: ast.Module | ast.ClassDef, kind: type[StatementT]) -> list[StatementT]:
    return [statement for statement in parent.body if isinstance(statement, kind)]


def _exported(module: ast.Module) -> set[str]:
    for statement in module.body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__":
            return set(ast.literal_eval(statement.value))
    return set()


def _signature(function: ast.FunctionDef) -> str:
    arguments = re.sub(r"^self(, )?", "", ast.unparse(function.args)).replace("'", "")
    returns = f" -> {ast.unparse(function.returns)}" if function.returns else ""
    return f"{function.name}({arguments}){returns}".replace("'", '"')


def _string(statement: ast.stmt | None) -> str:
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return dedent(str(statement.value.value))
    return ""


def _hint(hint: str) -> str:
    inner = re.fullmatch(r"ClassVar\[(.*)\]", hint)
    return (inner[1] if inner else hint).replace("'", '"')


def _code(text: str) -> str:
    return f"`{text}`".replace("|", "\\|") if text else ""


def _cell(text: str | None) -> str:
    return _inline(" ".join((text or "").split())).replace("|", "\\|")


def _inline(text: str) -> str:
    """Turn reStructuredText within a line into Markdown."""
    text = re.sub(r":\w+:`~?([^`]*?)([^`.]+)`", r"`\2`", text)
    return text.replace("``", "`")


def _text(docstring: str | None) -> str:
    """Turn a docstring into Markdown."""
    lines = []
    for line in (docstring or "").splitlines():
        section = re.fullmatch(r"(Args|Returns|Raises|Yields):", line)
        added = re.fullmatch(r"\.\. (versionadded|versionchanged):: (.*)", line)
        entry = re.match(r"    (\*?\w+): (.*)", line)
        if section:
            lines.append(f"{section[1]}:\n")
        elif added:
            lines.append(f"*{'Added' if added[1] == 'versionadded' else 'Changed'} in {added[2]}.*")
        elif entry:
            lines.append(f"- `{entry[1]}`: {_inline(entry[2])}")
        elif line.endswith("::"):
            lines.append(_inline(line[:-1]))
        else:
            lines.append(_inline(line))
    return "\n".join(lines)


def main() -> int:
    """Write the page, or check it."""
    text = page()
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    fresh = PAGE.is_file() and PAGE.read_text(encoding="utf-8") == text
    if not fresh:
        sys.stderr.write(f"{PAGE.relative_to(ROOT)} is not up to date: python tools/plugin_reference.py\n")
    return 0 if fresh else 1


if __name__ == "__main__":
    sys.exit(main())
