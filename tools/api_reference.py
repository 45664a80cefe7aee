"""Writes docs/api.md from the docstrings of what other code may rely on; `make reference` runs it, tests compare."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "docs" / "api.md"
_WIDTH = 90
_SOURCE = ROOT / "src" / "fulltape"
GROUPS = {
    "Reading rows": ("__init__.py", "reading/rows.py", "reading/facts.py", "reader.py", "reading/bundle_facts.py", "reading/windows.py"),
    "What a vendor declares": ("contract/vendor.py", "contract/plans.py", "contract/streams.py", "contract/events.py"),
    "Datasets and time": ("market/dataset.py", "market/assets.py", "market/schema.py", "market/sessions.py", "market/time.py"),
    "Checks": ("checks/beside.py", "checks/findings.py"),
    "Jobs and services": ("context/jobs.py", "context/services.py", "context/consumers.py"),
    "The lake": ("lake/layout.py", "lake/objects.py", "lake/parts.py", "lake/journal.py", "lake/messages.py", "lake/tail.py"),
    "The ledger": (
        "ledger/ledger.py", "ledger/catalogue.py", "ledger/coverage.py", "ledger/verdicts.py", "ledger/changes.py",
        "ledger/tasks.py", "ledger/queue.py", "ledger/budgets.py", "ledger/streams.py", "ledger/intervals.py",
        "ledger/consumers.py",
    ),
    "The settings": ("settings/load.py",),
}  # fmt: skip
HEAD = """\
# API reference

What other code may rely on, module by module. Sessions are `datetime.date`, instants are microseconds since 1970 in UTC
(`Instant`), spans of sessions are inclusive at both ends and spans of instants exclude their end, where nothing else is said.

This page is made from the docstrings (`make reference`).
"""


def text() -> str:
    """The page."""
    pieces = [HEAD]
    for group, files in GROUPS.items():
        pieces.append(f"\n## {group}\n")
        for file in files:
            pieces += _module(file)
    return "".join(pieces)


def _module(file: str) -> Iterator[str]:
    module = ast.parse((_SOURCE / file).read_text())
    name = file.removesuffix(".py").replace("/", ".")
    title = "fulltape" if file == "__init__.py" else f"fulltape.{name}"
    yield f"\n### {title}\n\n{_doc(module)}\n"
    for node in module.body:
        if isinstance(
            node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
        ) and not node.name.startswith("_"):
            yield from _class(node) if isinstance(node, ast.ClassDef) else _function(node, "")


def _class(node: ast.ClassDef) -> Iterator[str]:
    yield f"\n#### {node.name}\n\n{_doc(node)}\n"
    fields = [
        one
        for one in node.body
        if isinstance(one, ast.AnnAssign) and not ast.unparse(one.target).startswith("_")
    ]
    if fields:
        lines = "\n".join(ast.unparse(one) for one in fields)
        yield f"\n```python\n{lines}\n```\n"
    for one in node.body:
        if isinstance(one, (ast.FunctionDef, ast.AsyncFunctionDef)) and not one.name.startswith("_"):
            yield from _function(one, f"{node.name}.")


def _function(node: ast.FunctionDef | ast.AsyncFunctionDef, owner: str) -> Iterator[str]:
    attribute = any(
        ast.unparse(one) in ("property", "functools.cached_property") for one in node.decorator_list
    )
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    arguments = "" if attribute else f"({ast.unparse(node.args)})"
    shown = f"{owner}{node.name}{arguments}{returns}".replace("(self, ", "(").replace("(self)", "()")
    if len(shown) > _WIDTH and not attribute:
        inside = "".join(f"    {one},\n" for one in _arguments(node.args))
        shown = f"{owner}{node.name}(\n{inside}){returns}"
    yield f"\n```python\n{shown}\n```\n\n{_doc(node)}\n"


def _arguments(found: ast.arguments) -> list[str]:
    """Each argument as it is written, without `self`."""
    text, depth, out = ast.unparse(found), 0, [""]
    for letter in text:
        depth += (letter in "[({") - (letter in "])}")
        if letter == "," and not depth:
            out.append("")
        else:
            out[-1] += letter
    return [one.strip() for one in out if one.strip() not in ("", "self")]


def _doc(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    return ast.get_docstring(node) or ""


if __name__ == "__main__":
    TARGET.write_text(text())
