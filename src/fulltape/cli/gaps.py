"""`fulltape gaps`: what is missing, as a table and as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fulltape import errors
from fulltape.cli import options
from fulltape.cli.options import JsonOption, NodeOption, counted, number

if TYPE_CHECKING:
    from fulltape.stores import Stores

_MOST_LINES = 40


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
    node: NodeOption = None,
    json: JsonOption = False,
) -> None:
    """List what should be there and is not: which sessions, why, and what happens next."""
    import dataclasses

    from fulltape.clock import SystemClock
    from fulltape.core import datasets
    from fulltape.node import gaps as finding

    if dataset:
        datasets.get(dataset)
    if out and out.suffix not in (".html", ".png"):
        raise errors.UsageError(f"{out} is neither .html nor .png.", hint="Name it gaps.html or gaps.png.")
    with options.opened(node) as stores:
        now = SystemClock().now()
        if symbol and not finding.listed(stores, dataset, symbol):
            raise errors.UsageError(
                f"{symbol} is in no universe of this node.", hint="Symbols are written in capitals."
            )
        found = list(finding.gaps(stores, now, dataset=dataset, symbol=symbol))
        drawing = _drawn(stores, now, dataset, symbol, most) if picture else []
        if out:
            _write(stores, now, dataset, symbol, out)
    if json:
        options.emit_json([dataclasses.asdict(gap) for gap in found])
    else:
        for line in drawing:
            typer.echo(line)
        if found and not picture:
            wide = max(len(gap.dataset) for gap in found[:most])
            long = max(8, *(len(gap.instrument) for gap in found[:most]))
            typer.echo(
                f"{'dataset':<{wide}} {'symbol':<{long}} {'sessions':<24} {'count':>6}  {'why':<15} what happens next"
            )
        for gap in [] if picture else found[:most]:
            sessions = f"{gap.first}" if gap.sessions == 1 else f"{gap.first} to {gap.last}"
            typer.echo(
                f"{gap.dataset:<{wide}} {gap.instrument:<{long}} {sessions:<24} {number(gap.sessions):>6}  "
                f"{gap.reason:<15} {gap.next}"
            )
        if len(found) > most and not picture:
            typer.echo(f"… and {number(len(found) - most)} more (--most, --json, --picture, --out)")
        typer.echo(f"{counted(len(found), 'gap')}, {counted(sum(gap.sessions for gap in found), 'session')}")
        if out:
            typer.echo(f"written: {out}")
    if found:
        raise typer.Exit(1)


def _drawn(stores: Stores, now: int, dataset: str, symbol: str, most: int) -> list[str]:
    from fulltape.cli import picture
    from fulltape.node import gaps as finding

    lines: list[str] = []
    for name, rows in finding.pictures(stores, now, dataset=dataset, symbol=symbol).items():
        wanted = stores.wanted[name]
        lines += [
            f"{wanted.title} by month, what lacks something",
            *picture.months(wanted.calendar, rows[:most]),
        ]
        if len(rows) > most:
            lines.append(f"… and {counted(len(rows) - most, 'instrument')} more (--most, --out)")
        lines.append("")
    return [*lines, picture.LEGEND] if lines else []


def _write(stores: Stores, now: int, dataset: str, symbol: str, out: Path) -> None:
    from fulltape.cli import sheet
    from fulltape.node import gaps as finding

    grids = [
        sheet.grid(stores.wanted[name].title, stores.wanted[name].calendar, rows)
        for name, rows in finding.pictures(
            stores, now, dataset=dataset, symbol=symbol, all_series=True
        ).items()
    ]
    if out.suffix == ".html":
        out.write_text(sheet.html(grids), encoding="utf-8")
    else:
        sheet.png(grids, out)
