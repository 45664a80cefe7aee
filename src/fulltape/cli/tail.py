"""`fulltape tail`: live streams as they come."""

from __future__ import annotations

import contextlib
import itertools
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from fulltape import clock
from fulltape.terminal import options
from fulltape.terminal.options import NodeOption, counted

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rich.console import Group
    from rich.table import Table

    from fulltape.views.tailing import Row, Tailing

_EVERY = 1.0


PANEL = "Look"


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
        float,
        typer.Option("--for", help="Stop after so many seconds (default: never).", min=0, show_default=False),
    ] = 0,
    node: NodeOption = None,
) -> None:
    """Watch a running capture: rate, lag, last price, the provisional bar, and what is doubtful, by stream."""
    from fulltape.views import tailing

    with options.opened(node) as context:
        watching = tailing.Tailing(context, grain=grain, symbols=tuple(symbols or ()))
        until = clock.steady_seconds() + seconds if seconds else float("inf")
        # Who has seen enough ends it with Ctrl-C.
        with contextlib.suppress(KeyboardInterrupt):
            if sys.stdout.isatty():
                _watch(watching, until)
            else:
                _print(watching, until)


def _watch(watching: Tailing, until: float) -> None:
    from rich.console import Console
    from rich.live import Live

    console = Console()
    with Live(console=console, refresh_per_second=4) as screen:
        while clock.steady_seconds() < until:
            rows, sentence = watching.look()
            screen.update(table(rows, sentence, width=console.width))
            clock.pause(_EVERY)


def _print(watching: Tailing, until: float) -> None:
    said = ""
    while True:
        rows, sentence = watching.look()
        if sentence and sentence != said:
            typer.echo(sentence)
        said = sentence
        for row in rows:
            typer.echo("  ".join(cell for cell in _cells(row) if cell))
        if clock.steady_seconds() + _EVERY >= until:
            return
        clock.pause(_EVERY)


def table(rows: list[Row], sentence: str, *, width: int) -> Group:
    """The streams as tables for a terminal, one a source and dataset, their columns below each other: as many of these as
    fit into `width`, the bar's last."""
    from rich.console import Group
    from rich.text import Text

    wide = fitting([_columns(row) for row in rows], width)
    parts: list[Table | Text] = [_table(wide, head=True)] if rows else []
    for name, group in itertools.groupby(rows, key=lambda row: f"{row.source} {row.dataset}"):
        parts.append(Text(name, style="bold", overflow="ellipsis", no_wrap=True))
        grid = _table(wide, head=False)
        for row in group:
            cells = _columns(row)
            grid.add_row(*(cells.get(name, "") for name in wide), style="" if row.live else "dim")
        parts.append(grid)
    return Group(*parts, *([Text(sentence)] if sentence else []))


def _table(wide: Mapping[str, int], *, head: bool) -> Table:
    from rich.table import Table

    grid = Table(box=None, padding=(0, _GAP, 0, 0), show_header=head)
    for name, size in wide.items():
        left = name in ("stream", "state")
        grid.add_column(name, justify="left" if left else "right", no_wrap=True, width=size)
    return grid


_GAP = 2
_ALWAYS = ("stream", "state", "last", "rate", "lag")


def fitting(rows: Sequence[Mapping[str, str]], width: int) -> dict[str, int]:
    """The columns that fit beside each other with their widths: those that are always there, and of the others as many as
    there is room for, in their order."""
    names = dict.fromkeys([*_ALWAYS, *(name for row in rows for name in row)])
    wide = {name: max(len(name), *(len(row.get(name, "")) for row in rows), 0) for name in names}
    shown: dict[str, int] = {}
    for name, size in wide.items():
        room = width - sum(shown.values()) - _GAP * (len(shown) + 1)
        if name not in _ALWAYS and room < size:
            break
        shown[name] = size
    return shown


def _columns(row: Row) -> dict[str, str]:
    """A row's cells by column, those of the bar in the order in which they are worth their room."""
    state = "live" if row.live else "not live"
    cells = {
        "stream": f"  {row.symbol}",
        "state": f"{state}, {row.doubtful} doubtful" if row.doubtful else state,
        "last": "" if row.last is None else f"{row.last:g}",
        "rate": "" if row.rate is None else f"{row.rate:,.1f}/s",
        "lag": "" if row.lag is None else f"{row.lag:,.1f} s",
    }
    if row.bar is not None:
        bar_cells = (
            ("volume", f"{row.bar.volume:.6g}"), ("high", f"{row.bar.high:g}"), ("low", f"{row.bar.low:g}"),
            ("open", f"{row.bar.open:g}"), ("ticks", f"{row.bar.trades:,}"), ("revision", f"{row.bar.revision:,}"),
        )  # fmt: skip
        cells |= {f"{row.bar.grain} {name}": text for name, text in bar_cells}
    return cells


def _cells(row: Row) -> tuple[str, ...]:
    bar = row.bar
    bar_text = ""
    if bar is not None:
        bar_text = (
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
        bar_text,
        f"{row.doubtful} unverified" if row.doubtful else "",
    )
