"""The mutants of a file: mutmut's operators, applied to one place of one function each.

Not mutmut's own copies of functions: these leave out whatever is decorated, and properties are half of `coverage/series.py`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import CodeType
from typing import Any

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators, operator_string

from benchmarks.mutants import rooms

_LEFT_ALONE = (cst.Annotation, cst.Decorator, cst.Parameters, cst.Import, cst.ImportFrom)
_TEXTS = (cst.SimpleString, cst.FormattedString, cst.ConcatenatedString)


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One change of one place of a file; `lines` are those of the statement up to the end of that place."""

    path: Path
    function: str
    lines: range
    number: int
    module: Any
    before: Any
    after: Any

    @property
    def name(self) -> str:
        """Where it is, and which of the changes of its file."""
        return f"{rooms.name(self.path)}:{self.lines[-1]} {self.function} #{self.number}"

    @cached_property
    def source(self) -> str:
        """The whole file with the change."""
        changed: str = self.module.deep_replace(self.before, self.after).code
        return changed

    @cached_property
    def diff(self) -> str:
        """The lines that differ."""
        old, new = self.path.read_text().splitlines(), self.source.splitlines()
        lines = list(difflib.unified_diff(old, new, lineterm="", n=0))[2:]
        return "\n".join(line for line in lines if not line.startswith("@@"))

    def code(self) -> CodeType | None:
        """The function's changed code; None where the change is none or does not compile."""
        if self.source == self.path.read_text():
            return None
        try:
            module = compile(self.source, str(self.path), "exec", dont_inherit=True)
        except SyntaxError:
            return None
        return next((one for one in _codes(module) if one.co_qualname == self.function), None)


def of_file(path: Path) -> list[Mutant]:
    """All mutants of a file, in its order."""
    wrapper = MetadataWrapper(cst.parse_module(path.read_text()))
    places = wrapper.resolve(PositionProvider)
    found: list[Mutant] = []
    for function, statement, node in _places(wrapper.module, (), None):
        for after in _changes(node):
            lines = range(places[statement].start.line, places[node].end.line + 1)
            found.append(
                Mutant(
                    path=path,
                    function=function,
                    lines=lines,
                    number=len(found),
                    module=wrapper.module,
                    before=node,
                    after=after,
                )
            )
    return found


def _places(node: Any, names: tuple[str, ...], statement: Any) -> Iterator[tuple[str, Any, Any]]:
    """Every node inside of a function, with the function's name and its statement."""
    inside = statement is not None
    if isinstance(node, _LEFT_ALONE) or _is_docstring(node) or _asks_only(node):
        return
    if isinstance(node, (cst.FunctionDef, cst.ClassDef)):
        within = names if inside else (*names, node.name.value)
        is_function = isinstance(node, cst.FunctionDef)
        for child in node.body.children:
            yield from _places(child, within, child if inside or is_function else None)
        return
    if inside:
        if isinstance(node, (cst.BaseCompoundStatement, cst.SimpleStatementLine)):
            statement = node
        yield ".".join(names), statement, node
    for child in node.children:
        yield from _places(child, names, statement)


def _changes(node: Any) -> Iterator[Any]:
    for kind, operator in mutation_operators:
        if not isinstance(node, kind) or _is_prose(node):
            continue
        for number, after in enumerate(operator(node)):
            # Of a name spelled otherwise one is enough.
            if (operator is operator_string and number) or _loses_prose(node, after):
                continue
            yield after


def _is_docstring(node: Any) -> bool:
    return isinstance(node, cst.Expr) and isinstance(node.value, _TEXTS)


def _asks_only(node: Any) -> bool:
    """Calls of which every change is an error at once."""
    return (
        isinstance(node, cst.Call)
        and isinstance(node.func, cst.Name)
        and node.func.value in ("len", "isinstance", "cast")
    )


def _is_prose(node: Any) -> bool:
    """Whether it is a text for people: what holds a space is no name."""
    if isinstance(node, cst.ConcatenatedString):
        return _is_prose(node.left) or _is_prose(node.right)
    if isinstance(node, cst.FormattedString):
        return any(isinstance(part, cst.FormattedStringText) and " " in part.value for part in node.parts)
    return isinstance(node, cst.SimpleString) and " " in node.value


def _loses_prose(node: Any, after: Any) -> bool:
    """Whether a call's argument that is given up, or what is no longer assigned, is a text for people."""
    if isinstance(node, cst.Call) and isinstance(after, cst.Call):
        kept = {id(one.value) for one in after.args}
        return any(_is_prose(one.value) for one in node.args if id(one.value) not in kept)
    return isinstance(node, (cst.Assign, cst.AnnAssign)) and _is_prose(node.value)


def _codes(code: CodeType) -> Iterator[CodeType]:
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield one
            yield from _codes(one)
