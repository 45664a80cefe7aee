"""`fulltape diff`: what sources have changed of rows that they had sent before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from fulltape.terminal import options
from fulltape.terminal.options import JsonOption, NodeOption, counted

PANEL = "Look"
_MOST = 60


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog="Example: fulltape diff equities_bars_day AAPL --from 2024-06-03")(diff)


def diff(
    dataset: Annotated[str, typer.Argument(help="The dataset.", show_default=False)],
    symbol: Annotated[
        str, typer.Argument(help="A symbol that the instrument ever bore.", show_default=False)
    ],
    since: Annotated[
        str,
        typer.Option(
            "--from",
            help="The answers that the node had on this day (default: the first ones).",
            show_default=False,
        ),
    ] = "",
    until: Annotated[
        str,
        typer.Option(
            "--to", help="The answers that it had on this day (default: the newest ones).", show_default=False
        ),
    ] = "",
    start: Annotated[str, typer.Option(help="The first session.", show_default=False)] = "",
    end: Annotated[str, typer.Option(help="The last session.", show_default=False)] = "",
    node: NodeOption = None,
    json: JsonOption = False,
) -> None:
    """Show restatements: rows that a source answered otherwise when it was asked again, and by how much."""
    from fulltape.reader import Reader
    from fulltape.settings import load

    rows = (
        Reader(load.find(node))
        .diff(
            dataset,
            symbol,
            since=since or None,
            until=until or None,
            start=start or None,
            end=end or None,
        )
        .to_dicts()
    )
    if json:
        options.emit_json({"changes": rows})
        return
    if not rows:
        typer.echo("No source has answered otherwise than before.")
    for row in rows[:_MOST]:
        typer.echo(_line(row))
    if len(rows) > _MOST:
        typer.echo(f"and {counted(len(rows) - _MOST, 'change')} more (--json)")


def _line(row: Mapping[str, Any]) -> str:
    change = f" ({row['change']:+.4%})" if row["change"] is not None else ""
    value = f"{row['column']} {row['before']} to {row['after']}{change}" if row["column"] else row["what"]
    return f"{row['source']}  {row['session']}  {row['ts']:%Y-%m-%dT%H:%M:%SZ}  {value}"
