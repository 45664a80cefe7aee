"""`fulltape tail`: live streams as they come."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from fulltape import clock
from fulltape.cli import options
from fulltape.cli.options import NodeOption, counted

if TYPE_CHECKING:
    from rich.table import Table

    from fulltape.node.tailing import Row, Tailing

_EVERY = 1.0


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog="Example: fulltape tail BTC/USDT --grain 1m")(tail)


def tail(
    symbols: Annotated[
        list[str] | None, typer.Argument(help="Only these symbols.", show_default=False)
    ] = None,
    grain: Annotated[
        str, typer.Option("--grain", "-g", help="Provisional bars of 1s, 5s, 1m, 5m, 15m, 1h, 4h or 1d.")
    ] = "1m",
    seconds: Annotated[
        float, typer.Option("--for", help="Stop after so many seconds (default: never).", min=0)
    ] = 0,
    node: NodeOption = None,
) -> None:
    """Watch a running capture: rate, lag, last price, the provisional bar, and what is doubtful, by stream."""
    from fulltape.node import tailing

    with options.opened(node) as stores:
        watching = tailing.Tailing(stores, grain=grain, symbols=tuple(symbols or ()))
        until = clock.steady_seconds() + seconds if seconds else float("inf")
        if sys.stdout.isatty():
            _watch(watching, until)
        else:
            _print(watching, until)


def _watch(watching: Tailing, until: float) -> None:
    from rich.live import Live

    with Live(refresh_per_second=4) as screen:
        while clock.steady_seconds() < until:
            rows, sentence = watching.look()
            screen.update(table(rows, sentence))
            clock.pause(_EVERY)


def _print(watching: Tailing, until: float) -> None:
    while True:
        rows, sentence = watching.look()
        if sentence:
            typer.echo(sentence)
        for row in rows:
            typer.echo("  ".join(cell for cell in _cells(row) if cell))
        if clock.steady_seconds() + _EVERY >= until:
            return
        clock.pause(_EVERY)


def table(rows: list[Row], sentence: str) -> Table:
    """The streams as a table for a terminal."""
    from rich.table import Table

    found = Table(box=None, caption=sentence or None, caption_justify="left")
    for name in (
        "source",
        "dataset",
        "symbol",
        "state",
        "rate",
        "lag",
        "last",
        "provisional bar",
        "doubtful",
    ):
        found.add_column(name, justify="right" if name in ("rate", "lag", "last") else "left", no_wrap=True)
    for row in rows:
        found.add_row(*_cells(row), style="" if row.live else "dim")
    return found


def _cells(row: Row) -> tuple[str, ...]:
    bar = row.bar
    told = ""
    if bar is not None:
        told = (
            f"{bar.grain} O {bar.open:g} H {bar.high:g} L {bar.low:g} C {bar.close:g} V {bar.volume:.6g}"
            f" ({counted(bar.trades, 'tick')}, rev {bar.revision})"
        )
    return (
        row.source,
        row.dataset,
        row.symbol,
        "live" if row.live else "not live",
        "" if row.rate is None else f"{row.rate:,.1f}/s",
        "" if row.lag is None else f"{row.lag:,.1f} s",
        "" if row.last is None else f"{row.last:g}",
        told,
        f"{row.doubtful} unverified" if row.doubtful else "",
    )
