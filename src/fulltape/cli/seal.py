"""`fulltape seal`: journals become parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fulltape.terminal import options
from fulltape.terminal.options import JsonOption, NodeOption, QuietOption, counted
from fulltape.terminal.progress import Watch

if TYPE_CHECKING:
    from fulltape.node.filling import FilledGaps
    from fulltape.seal.run import SealReport


PANEL = "Stages of a night"
PLACE = 2


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog="Example: fulltape seal --fill")(seal)


def seal(
    again: Annotated[
        bool,
        typer.Option("--again", help="Decode kept messages once more, with the decoders of this version."),
    ] = False,
    fill: Annotated[
        bool, typer.Option("--fill", help="Ask history at once for what live capture may have missed.")
    ] = False,
    node: NodeOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make parts of what was captured and fetched; find what may be missing."""

    from fulltape.clock import SystemClock
    from fulltape.node import filling
    from fulltape.seal import run as sealing

    with options.opened(node, asking=fill) as context, Watch(quiet=quiet or json) as watch:
        clock = SystemClock(context.ledger.boots.anchor)
        report = sealing.run_once(context, clock, watch, again=again)
        filled = filling.fill(context, clock, watch, urgent=True) if fill else None
        held_back = filling.held_back(context, clock) if filled else None
    if json:
        options.emit_json({"sealed": report, "filled": filled})
    elif not quiet:
        for line in lines(report, filled):
            typer.echo(line)
        if held_back:
            typer.echo(f"waiting   {held_back}")
    if filled:
        options.fail_for_vendors(filled)


def lines(report: SealReport, filled: FilledGaps | None) -> list[str]:
    """What was sealed, for people."""
    live = report.captured
    out = [
        f"captured  {counted(live.messages, 'message')} of {counted(live.files, 'journal')}: "
        f"{counted(live.rows, 'row')} in {counted(live.parts, 'part')}",
        f"fetched   {counted(report.fetches, 'fetch')}: {counted(report.rows, 'row')} in {counted(report.parts, 'part')}",
    ]
    if live.intervals:
        out.append(
            f"doubtful  {counted(live.intervals, 'interval')}, {live.proved:,} proved by ids, "
            f"{live.tasks:,} asked of history"
        )
    if live.unknown or live.broken:
        out.append(
            f"kept      {counted(live.unknown, 'message')} of unknown kinds and {live.broken:,} that cannot be read, "
            "under rejected/"
        )
    if live.damaged or report.damaged:
        out.append(f"damaged   {counted(live.damaged + report.damaged, 'stretch')} of journals")
    if filled:
        out.append(
            f"filled    {counted(filled.requests, 'request')}, {counted(filled.rows, 'row')} from history"
        )
    return out
