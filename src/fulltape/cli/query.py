"""`fulltape query`: SQL over the rows of a node."""

from __future__ import annotations

from typing import Annotated

import typer

from fulltape.terminal import options
from fulltape.terminal.options import JsonOption, NodeOption, counted

PANEL = "Look"
_MOST = 50


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        epilog="Example: fulltape query \"select session, close from equities_bars_day where symbol = 'AAPL'\""
    )(query)


def query(
    sql: Annotated[str, typer.Argument(help="A SELECT.", show_default=False)],
    as_of: Annotated[
        str,
        typer.Option(
            "--as-of", help="Only what was public by this day, YYYY-MM-DD, or moment.", show_default=False
        ),
    ] = "",
    known: Annotated[
        str,
        typer.Option(
            "--known", help="As this node had it on this day, YYYY-MM-DD, or moment.", show_default=False
        ),
    ] = "",
    adjust: Annotated[
        str, typer.Option(help="none, split, split_spin or total: prices of equities.")
    ] = "none",
    anchor: Annotated[
        str, typer.Option(help="latest, first, or the day to whose prices others are brought.")
    ] = "latest",
    convention: Annotated[str, typer.Option(help="prev_close or ex_close.")] = "prev_close",
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    node: NodeOption = None,
    json: JsonOption = False,
) -> None:
    """Ask for rows in SQL.

    Tables are the node's datasets, and actions, factors, sessions, coverage, verdicts, intervals and repairs. Needs the extra `sql` (DuckDB).
    """
    from fulltape.reader import Reader
    from fulltape.settings import load

    rows = Reader(load.find(node)).query(
        sql, as_of=as_of or None, known=known or None, adjust=adjust, anchor=anchor, convention=convention
    )
    import polars as pl

    if json:
        options.emit_json({"rows": rows.to_dicts()})
        return
    if csv:
        texts = pl.col(pl.List(pl.String)).list.join("; ")
        typer.echo(rows.with_columns(texts).write_csv(), nl=False)
        return
    with pl.Config(
        tbl_rows=_MOST, tbl_cols=-1, tbl_hide_dataframe_shape=True, tbl_formatting="UTF8_FULL_CONDENSED"
    ):
        typer.echo(str(rows))
    if rows.height > _MOST:
        typer.echo(
            f"{counted(rows.height, 'row')}, of which the first and the last are shown (--csv, --json)"
        )
