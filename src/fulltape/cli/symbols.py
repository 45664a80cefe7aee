"""`fulltape symbols`: the dated reference table: who is known by which symbol, since when and until when."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fulltape.terminal import options
from fulltape.terminal.options import JsonOption, NodeOption, QuietOption, counted
from fulltape.terminal.progress import Watch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fulltape.context import ConfiguredDataset
    from fulltape.market.reference import ReferenceEntry
    from fulltape.node.reference import Imported

app = typer.Typer(
    no_args_is_help=True,
    help="The reference table: import it from files and vendors, show it, refresh it.",
    epilog="Example: fulltape symbols import listings.csv",
)
PANEL = "Begin"


def register(root: typer.Typer) -> None:
    """Add the verbs."""
    root.add_typer(app, name="symbols")


_MOST = 40


@app.command(name="import", epilog="Example: fulltape symbols import --vendor NAME AAPL META")
def import_(
    what: Annotated[
        list[str], typer.Argument(help="A CSV file; with --vendor, symbols.", show_default=False)
    ],
    vendor: Annotated[str, typer.Option(help="Ask this vendor about the symbols.", show_default=False)] = "",
    node: NodeOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Add what a file or a vendor says of symbols; nothing is ever overwritten, the newest word holds.

    A file has the columns of universe.csv (symbol, listed_from, listed_to, instrument) and, where known, type, venue,
    currency, price_unit, lot, tick, multiplier, delisting_reason, delisting_return and spelling:SOURCE.
    """
    from fulltape import errors
    from fulltape.clock import SystemClock
    from fulltape.node import reference

    with options.opened(node, asking=bool(vendor)) as context, Watch(quiet=quiet or json) as watch:
        clock = SystemClock(context.ledger.boots.anchor)
        if vendor:
            done = reference.from_vendor(context, vendor, what, clock, watch)
        elif len(what) > 1:
            raise errors.UsageError("one file at a time.", hint="For symbols, add --vendor NAME.")
        else:
            done = reference.from_file(context.ledger, Path(what[0]), clock)
    _tell(done, json, quiet)


@app.command(epilog="Example: fulltape symbols refresh --vendor NAME")
def refresh(
    vendor: Annotated[str, typer.Option(help="The vendor to ask again.", show_default=False)],
    node: NodeOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Ask a vendor again about all that it has told: delistings and new symbols."""
    from fulltape.clock import SystemClock
    from fulltape.node import reference

    with options.opened(node, asking=True) as context, Watch(quiet=quiet or json) as watch:
        done = reference.refresh(context, vendor, SystemClock(context.ledger.boots.anchor), watch)
    _tell(done, json, quiet)


@app.command(epilog="Example: fulltape symbols show META --on 2015-06-01")
def show(
    symbol: Annotated[
        str, typer.Argument(help="A symbol or an instrument; without one all are shown.", show_default=False)
    ] = "",
    on: Annotated[str, typer.Option(help="Who bore the symbol on this day.", show_default=False)] = "",
    node: NodeOption = None,
    json: JsonOption = False,
) -> None:
    """Show who is known by a symbol, and under which symbols it was known before."""

    from fulltape import errors
    from fulltape.market import reference

    with options.opened(node) as context:
        everything = context.ledger.reference.listings()
        wanted = context.wanted
    entries = everything
    if symbol and (on or any(entry.symbol == symbol for entry in everything)):
        day = options.session(on) if on else None
        names = (
            {reference.resolve(everything, symbol, day)}
            if day
            else {entry.instrument for entry in everything if entry.symbol == symbol}
        )
        entries = [entry for entry in everything if entry.instrument in names]
    elif symbol:
        entries = [entry for entry in everything if entry.instrument == symbol]
        if not entries:
            raise errors.UsageError(
                f"the reference table knows no {symbol}{_in_universe(wanted, symbol)}.",
                hint="fulltape symbols import adds to it, from a file or from a vendor (--vendor NAME).",
            )
    if json:
        options.emit_json(entries)
        return
    if not entries:
        typer.echo("The reference table is empty. fulltape symbols import fills it from a file or a vendor.")
    ordered = [entry for rows in reference.by_instrument(entries).values() for entry in rows]
    for row in ordered[:_MOST]:
        typer.echo(_line(row))
    if len(ordered) > _MOST:
        typer.echo(f"and {counted(len(ordered) - _MOST, 'row')} more (--json)")


def _in_universe(wanted: Mapping[str, ConfiguredDataset], symbol: str) -> str:
    """What the universes say of a symbol, which they name without the table."""
    for name, dataset in wanted.items():
        for instrument in dataset.instruments.values():
            if any(dated.symbol == symbol for dated in instrument.symbols):
                since = instrument.listed_from or "an unknown day"
                return f"; the universe of {name} lists it from {since} to {instrument.listed_to or 'now'}"
    return ""


def _line(entry: ReferenceEntry) -> str:
    facts = entry.facts
    said = [facts.type, facts.venue, facts.currency]
    said += [f"{name} {value:g}" for name in ("lot", "tick", "multiplier") if (value := getattr(facts, name))]
    said += [f"prices in {facts.price_unit}"] if facts.price_unit else []
    said += [f"delisted: {facts.delisting_reason}"] if facts.delisting_reason else []
    said += [] if facts.delisting_return is None else [f"delisting return {facts.delisting_return:+.2%}"]
    said += [f"{source} writes {spelling}" for source, spelling in facts.spellings.items()]
    said += [f"CONFLICT: {facts.conflict}"] if facts.conflict else []
    span = f"{entry.first or 'unknown'} to {entry.last or 'now'}"
    details = ", ".join(word for word in said if word)
    return f"{entry.instrument:<12} {entry.symbol:<12} {span:<26} {details}{'; ' if details else ''}from {entry.origin}"


def _tell(done: Imported, json: bool, quiet: bool) -> None:
    if json:
        options.emit_json(
            {"added": done.added, "total": done.total, "refused": done.refused, "conflicts": done.conflicts}
        )
    elif not quiet:
        typer.echo(f"{counted(done.added, 'row')} added; the reference table has {done.total:,}")
        for name, conflict in done.conflicts.items():
            typer.echo(f"  {name}: {conflict}; the later date is used")
        for symbol, reason in done.refused.items():
            typer.echo(f"  {symbol}: {reason}")
    if done.refused:
        raise typer.Exit(1)
