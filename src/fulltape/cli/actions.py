"""`fulltape actions`: corporate actions with the sources' votes, and the factors that follow from them."""

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
    app.command(epilog="Example: fulltape actions AAPL --factors")(actions)


def actions(
    symbols: Annotated[
        list[str] | None,
        typer.Argument(help="Symbols that an instrument ever bore; without any, all.", show_default=False),
    ] = None,
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
    factors: Annotated[
        bool, typer.Option("--factors", help="Show what each ex-date multiplies earlier prices by.")
    ] = False,
    convention: Annotated[
        str, typer.Option(help="prev_close: 1 - D / the close before; ex_close: close / (close + D).")
    ] = "prev_close",
    node: NodeOption = None,
    json: JsonOption = False,
) -> None:
    """Show splits, dividends and other actions as the sources tell them.

    agreed: two vendors or more say the same. single: one has spoken, and none that was asked is silent. disputed: they contradict
    each other without a majority, and the preferred source's word is used. invalid: it cannot be true.
    """
    from fulltape.reader import Reader
    from fulltape.settings import load

    reader = Reader(load.find(node))
    chosen, moment, then = symbols or None, as_of or None, known or None
    frame = (
        reader.factors(chosen, as_of=moment, known=then, convention=convention)
        if factors
        else reader.actions(chosen, as_of=moment, known=then)
    )
    rows = frame.to_dicts()
    if json:
        options.emit_json({"factors" if factors else "actions": rows})
        return
    if not rows:
        typer.echo("No corporate action is known.")
    for row in rows[-_MOST:]:
        typer.echo(_factor_line(row) if factors else _action_line(row))
    if len(rows) > _MOST:
        typer.echo(f"and {counted(len(rows) - _MOST, 'row')} before these (--json, or name a symbol)")


def _action_line(row: Mapping[str, Any]) -> str:
    ratio = f"{row['ratio']:.10g} for 1" if row["ratio"] is not None else ""
    paid = f"{row['amount']:.10g} {row['currency'] or ''}".strip() if row["amount"] is not None else ""
    renamed = f"to {row['new_symbol']}" if row["new_symbol"] else ""
    said = ", ".join(word for word in (ratio, paid, renamed) if word)
    about = [f"{row['agreement']}: {', '.join(row['sources'])}", *row["dissent"]]
    about += [row["problem"]] if row["problem"] else []
    return f"{row['ex_date']}  {row['instrument']:<8} {row['action_type']:<16} {said:<20} {'; '.join(about)}"


def _factor_line(row: Mapping[str, Any]) -> str:
    about = [*row["events"], *row["problems"]]
    status = "" if row["status"] == "complete" else f"{row['status']}: "
    factors = {mode: row[mode] for mode in ("split", "split_spin", "total")}
    shown = f"{row['total']:.8g}"
    if len(set(factors.values())) > 1:  # a split alone is the same in all modes
        shown = ", ".join(f"{mode} {factor:.8g}" for mode, factor in factors.items() if factor != 1)
    return f"{row['ex_date']}  {row['instrument']:<6} {shown:<18} {status}{'; '.join(about)}"
