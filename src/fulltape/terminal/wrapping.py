"""Lines and tables as wide as the terminal; what goes into a file or a pipe is left whole, a line a thing."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence

import typer

_LABEL = re.compile(r"\s*\S+(?: \S+)?\s{2,}")
_MOST_HANGING = 24
_INDENT = "    "
_BETWEEN = "  "


def say(lines: Iterable[str]) -> None:
    """Print lines; on a terminal those that are too wide go on below, under what follows their label."""
    width = terminal()
    for line in lines:
        typer.echo("\n".join(wrapped(line, width)))


def some(names: Sequence[str], shown: int = 10) -> str:
    """The first of many names, and how many more there are."""
    more = f" and {len(names) - shown:,} more" if len(names) > shown else ""
    return f"{', '.join(names[:shown])}{more}"


def terminal() -> int | None:
    """The columns of the terminal that is written to; None where it is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def wrapped(line: str, width: int | None) -> list[str]:
    """A line in pieces of at most `width` columns, cut at spaces only: a path or a request stays in one piece."""
    if width is None or len(line) <= width:
        return [line]
    label = _LABEL.match(line)
    hanging = len(label[0]) if label else len(line) - len(line.lstrip()) + 2
    if hanging > min(_MOST_HANGING, width // 2):
        hanging = 2
    return textwrap.wrap(
        line,
        width,
        subsequent_indent=" " * hanging,
        drop_whitespace=True,
        break_long_words=False,
        break_on_hyphens=False,
        replace_whitespace=False,
    )


def table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    width: int | None,
    lead: int,
    right: Sequence[str] = (),
) -> list[str]:
    """Rows below their heads; where that is wider than `width`, each row as its first `lead` cells and, below, the others
    with their names. The columns in `right` are aligned to the right."""
    if not rows:
        return []
    wide = [max(len(row[at]) for row in (head, *rows)) for at in range(len(head))]
    whole = [_row(head, row, wide, right) for row in (head, *rows)]
    if width is None or all(len(line) <= width for line in whole):
        return whole
    lines = []
    for row in rows:
        lines += wrapped(_BETWEEN.join(row[:lead]), width)
        rest = "; ".join(
            f"{name}: {cell}" for name, cell in zip(head[lead:], row[lead:], strict=True) if cell
        )
        lines += wrapped(f"{_INDENT}{rest}", width)
    return lines


def _row(head: Sequence[str], row: Sequence[str], wide: Sequence[int], right: Sequence[str]) -> str:
    cells = [
        cell.rjust(size) if name in right else cell.ljust(size)
        for name, cell, size in zip(head, row, wide, strict=True)
    ]
    return _BETWEEN.join(cells).rstrip()


def length(seconds: float) -> str:
    """45 s, 12 min, 3.5 h, 2.1 d"""
    for worth, unit in ((86_400, "d"), (3_600, "h")):
        if seconds >= 2 * worth:
            return f"{seconds / worth:.1f} {unit}"
    return f"{seconds / 60:.0f} min" if seconds >= 120 else f"{seconds:.0f} s"
