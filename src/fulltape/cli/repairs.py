"""`fulltape repairs`: bars that a person has changed, who changed them and why; each can be taken back."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated

import typer

from fulltape import errors
from fulltape.terminal import options
from fulltape.terminal.options import JsonOption, NodeOption

if TYPE_CHECKING:
    from fulltape.context.noted import Standing
    from fulltape.ledger.repairs import Repair

app = typer.Typer(
    invoke_without_command=True,
    help="Show bars that a person has changed, change one, or take a change back.",
    epilog="Example: fulltape repairs",
)
PANEL = "Keep"


def register(root: typer.Typer) -> None:
    """Add the verbs."""
    root.add_typer(app, name="repairs")


@app.callback()
def repairs(ctx: typer.Context, node: NodeOption = None, json: JsonOption = False) -> None:
    """Show bars that a person has changed: what each was, what it became, who did it and why."""
    if ctx.invoked_subcommand:
        return
    from fulltape.clock import SystemClock
    from fulltape.context import damage, noted

    with options.opened(node) as context:
        listed = context.ledger.repairs.all()
        parts = damage.sound(context, noted.concerned(context.ledger, listed), SystemClock().now())
        stands = noted.standing(context.layout, context.ledger, listed, parts)
    if json:
        options.emit_json({"repairs": [_fields(repair, stands[repair.number]) for repair in listed]})
    elif not listed:
        typer.echo("No bar was repaired.")
    for repair in () if json else listed:
        typer.echo(_line(repair, stands[repair.number]))


@app.command(
    epilog='Example: fulltape repairs add equities_bars_minute AAPL 2024-06-03 --at 09:31 --set high=194.2 --why "one print at 1942"'
)
def add(
    dataset: Annotated[str, typer.Argument(help="The dataset.", show_default=False)],
    symbol: Annotated[str, typer.Argument(help="The instrument, or its symbol.", show_default=False)],
    session: Annotated[str, typer.Argument(help="The session, YYYY-MM-DD.", show_default=False)],
    why: Annotated[str, typer.Option(help="The evidence; it is shown with the repair.", show_default=False)],
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", help="COLUMN=VALUE, several times if need be; null for no value.", show_default=False
        ),
    ] = None,
    drop: Annotated[bool, typer.Option("--drop", help="Take the bar out.")] = False,
    at: Annotated[
        str,
        typer.Option(
            help="Which minute, by the market's clock (09:31) or as a moment with its zone.",
            show_default=False,
        ),
    ] = "",
    who: Annotated[str, typer.Option(help="Who does it; you, by default.", show_default=False)] = "",
    node: NodeOption = None,
) -> None:
    """Change a value of a curated bar, or take the bar out. Raw rows stay as they came.

    The next `fulltape curate`, or night, applies it and marks the row in `flags` (512). It holds as long as the source says what it says
    now: once it restates the value, the repair does nothing.
    """
    from fulltape.clock import SystemClock
    from fulltape.node import repairing

    pairs = [text.partition("=") for text in set_ or ()]
    if drop == bool(pairs) or not all(column and equals and value for column, equals, value in pairs):
        raise errors.UsageError(
            "say what becomes of the bar.", hint="Either --set COLUMN=VALUE, such as --set close=101.5, or --drop."
        )  # fmt: skip
    values = {column.strip(): value.strip() for column, _, value in pairs}
    if len(values) < len(pairs):
        raise errors.UsageError("a column is set twice.")
    if not why.strip():
        raise errors.UsageError("a repair needs its evidence.", hint='Give it: --why "one print at 1942".')
    change = repairing.Change(
        dataset=dataset,
        symbol=symbol,
        session=options.session(session),
        at=at,
        values=values,
    )
    with options.opened(node) as context:
        done = repairing.add(context, SystemClock(), change, who=who or getpass.getuser(), reason=why.strip())
    for repair in done:
        typer.echo(_line(repair, "waiting"))
    typer.echo("fulltape curate applies it, or the next night; then fulltape check judges the session anew.")


@app.command(epilog='Example: fulltape repairs undo 3 --why "the vendor was right"')
def undo(
    number: Annotated[
        int, typer.Argument(help="Which, as `fulltape repairs` lists them.", show_default=False)
    ],
    why: Annotated[str, typer.Option(help="Why.", show_default=False)] = "",
    who: Annotated[str, typer.Option(help="Who does it; you, by default.", show_default=False)] = "",
    node: NodeOption = None,
) -> None:
    """Take a repair back: the next `fulltape curate`, or night, restores what the source says."""
    from fulltape.clock import SystemClock
    from fulltape.node import repairing

    with options.opened(node) as context:
        done = repairing.undo(
            context, SystemClock(), number, who=who or getpass.getuser(), reason=why.strip()
        )
    typer.echo(f"repair {done.number} is taken back; fulltape curate applies that, or the next night.")


_STANDING = {
    "applied": "",
    "waiting": " (not curated yet)",
    "superseded": " (no effect: a later repair concerns the same value)",
    "lapsed": " (no effect: the source says something else now, or another one was chosen)",
}


def _fields(repair: Repair, stands: Standing) -> dict[str, object]:
    from fulltape.terminal import printed

    fields = printed.plain(repair)
    assert isinstance(fields, dict)
    return {**fields, "standing": stands}


def _line(repair: Repair, stands: Standing) -> str:
    from fulltape.market.time import to_second, utc_date

    what = (
        f"{repair.column} {repair.was or 'null'} to {repair.becomes or 'null'}"
        if repair.column
        else f"taken out, with its price of {repair.was}"
    )
    line = (
        f"{repair.number}  {repair.dataset}  {repair.instrument}  {repair.session}  {to_second(repair.ts)}  {repair.source}: "
        f"{what}; {repair.who}, {utc_date(repair.at)}: {repair.reason}"
    )
    if repair.undone:
        return f"{line} (taken back on {utc_date(repair.undone)})"
    return line + _STANDING[stands]
