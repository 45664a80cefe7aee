"""`fulltape gaps`: what is missing, as a table and as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fulltape import errors
from fulltape.terminal import options, wrapping
from fulltape.terminal.options import JsonOption, NodeOption, counted, number
from fulltape.terminal.summary import STATES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fulltape.context import NodeContext
    from fulltape.views.gaps import Gap

_MOST_LINES, _NAMED = 40, 2


PANEL = "Look"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog="Example: fulltape gaps --picture --out gaps.html")(gaps)


def gaps(
    dataset: Annotated[str, typer.Option(help="Only one dataset.")] = "",
    symbol: Annotated[str, typer.Option(help="Only one symbol.")] = "",
    most: Annotated[int, typer.Option(min=1, help="How many lines to print.")] = _MOST_LINES,
    picture: Annotated[bool, typer.Option("--picture", help="Draw instruments by months.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write the picture of all instruments to FILE.html or FILE.png.", show_default=False
        ),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="A line for every symbol, also where several lack the same.")
    ] = False,
    node: NodeOption = None,
    json: JsonOption = False,
) -> None:
    """List what should be there and is not: which sessions, why, and what happens next."""

    from fulltape.clock import SystemClock
    from fulltape.market import datasets
    from fulltape.views import gaps as finding

    if dataset:
        datasets.get(dataset)
    if out and out.suffix not in (".html", ".png"):
        raise errors.UsageError(f"{out} is neither .html nor .png.", hint="Name it gaps.html or gaps.png.")
    with options.opened(node) as context:
        now = SystemClock().now()
        if symbol and not finding.listed(context, dataset, symbol):
            raise errors.UsageError(
                f"{symbol} is in no universe of this node.", hint="Symbols are written in capitals."
            )
        missing = list(finding.gaps(context, now, dataset=dataset, symbol=symbol))
        drawing = _drawn(context, now, dataset, symbol, most) if picture else []
        if out:
            _write(context, now, dataset, symbol, out, missing)
    if json:
        options.emit_json(missing)
    else:
        for line in drawing if picture else lines(missing, most, apart=verbose, width=wrapping.terminal()):
            typer.echo(line)
        typer.echo(
            f"{counted(len(missing), 'gap')}, {counted(sum(gap.sessions for gap in missing), 'session')}"
        )
        if out:
            typer.echo(f"written: {out}")
    if missing:
        raise typer.Exit(1)


HEAD = ("dataset", "symbol", "sessions", "count", "why", "what happens next")


def rows(gaps: Sequence[Gap], *, apart: bool = False) -> list[tuple[str, ...]]:
    """Gaps as rows of a table (`HEAD`); symbols that lack the same for the same reason share one unless `apart`."""
    shared: dict[tuple[object, ...], list[Gap]] = {}
    for gap in gaps:
        alike = (gap.dataset, gap.first, gap.last, gap.sessions, gap.reason, gap.next)
        shared.setdefault((*alike, gap.instrument) if apart else alike, []).append(gap)
    return [
        (
            some[0].dataset,
            ", ".join(gap.instrument for gap in some)
            if len(some) <= _NAMED
            else f"{some[0].instrument} and {number(len(some) - 1)} more",
            f"{some[0].first}" if some[0].sessions == 1 else f"{some[0].first} to {some[0].last}",
            number(some[0].sessions) + (" each" if len(some) > 1 else ""),
            STATES.get(some[0].reason, some[0].reason),
            some[0].next,
        )
        for some in shared.values()
    ]


def lines(gaps: Sequence[Gap], most: int, *, apart: bool, width: int | None) -> list[str]:
    """A table of gaps of at most so many rows."""
    entries = rows(gaps, apart=apart)
    table = wrapping.table(HEAD, entries[:most], width=width, lead=4)
    if len(entries) > most:
        table.append(f"… and {number(len(entries) - most)} lines more (--most, --json, --picture, --out)")
    return table


def _drawn(context: NodeContext, now: int, dataset: str, symbol: str, most: int) -> list[str]:
    from fulltape.terminal import picture
    from fulltape.views import gaps as finding

    lines: list[str] = []
    for name, rows in finding.pictures(context, now, dataset=dataset, symbol=symbol).items():
        wanted = context.wanted[name]
        lines += [
            f"{wanted.title} by month, what lacks something",
            *picture.months(wanted.calendar, rows[:most]),
        ]
        if len(rows) > most:
            lines.append(f"… and {counted(len(rows) - most, 'instrument')} more (--most, --out)")
        lines.append("")
    return [*lines, picture.LEGEND] if lines else []


def _write(
    context: NodeContext, now: int, dataset: str, symbol: str, out: Path, missing: Sequence[Gap]
) -> None:
    from fulltape.terminal import sheet
    from fulltape.views import gaps as finding

    grids = []
    for name, pictures in finding.pictures(
        context, now, dataset=dataset, symbol=symbol, all_series=True
    ).items():
        lacking = [row[1:] for row in rows([gap for gap in missing if gap.dataset == name])]
        wanted = context.wanted[name]
        grids.append(sheet.grid(wanted.title, wanted.calendar, pictures, lacking))
    if out.suffix == ".html":
        out.write_text(sheet.html(grids, HEAD[1:]), encoding="utf-8")
    else:
        sheet.png(grids, out)
