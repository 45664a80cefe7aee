"""`fulltape backfill`: fetch what the queue asks for."""

from __future__ import annotations

from typing import Annotated

import typer

from fulltape.terminal import options, wrapping
from fulltape.terminal.options import JsonOption, NodeOption, QuietOption, counted
from fulltape.terminal.progress import Watch

PANEL = "Stages of a night"
PLACE = 1


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog="Example: fulltape audit && fulltape backfill")(backfill)


def backfill(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what it would take: requests, time, rows, disk.")
    ] = False,
    node: NodeOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Fetch queued tasks from every source that has room, and seal the answers."""
    if dry_run:
        _dry_run(node, json)
        return

    from fulltape.clock import SystemClock
    from fulltape.market.time import to_second
    from fulltape.node import filling
    from fulltape.seal import run as seal

    with options.opened(node, asking=True) as context, Watch(quiet=quiet or json) as watch:
        clock = SystemClock(context.ledger.boots.anchor)
        seal.run_once(context, clock, watch)
        filled = filling.fill(context, clock, watch)
        left = len(context.ledger.tasks.open())
    if json:
        options.emit_json({"filled": filled, "open_tasks": left})
    elif not quiet:
        typer.echo(
            f"{counted(filled.requests, 'request')}, {counted(filled.pages, 'page')}, {counted(filled.rows, 'row')}; "
            f"{counted(left, 'open task')} left"
        )
        if filled.full:
            typer.echo(f"the disk: {filled.full}")
        for source, why, room in filled.waiting:
            typer.echo(f"{source} waits ({why}) until {to_second(room)}")
    options.fail_for_vendors(filled)
    if left:
        raise typer.Exit(4 if filled.full else 1)


def _dry_run(node: NodeOption, json: bool) -> None:

    from fulltape.backfill import estimate
    from fulltape.clock import SystemClock
    from fulltape.market.time import iso

    with options.opened(node) as context:
        expected = estimate.run_once(context, SystemClock(context.ledger.boots.anchor))
    if json:
        options.emit_json(expected)
        return
    typer.echo(
        f"{'source':<16} {'tasks':>9} {'requests':>9} {'time':>10} {'of a day':>9} {'rows':>13} {'disk':>9}"
    )
    for entry in expected.by_source:
        share = "" if entry.of_day is None else f"{entry.of_day:.0%}"
        typer.echo(
            f"{entry.source:<16} {entry.tasks:>9,.0f} {entry.requests:>9,.0f} {wrapping.length(entry.seconds):>10} {share:>9} "
            f"{entry.rows:>13,.0f} {entry.bytes / 1e6:>6,.1f} MB"
        )
    if not any(source.tasks for source in expected.by_source):
        typer.echo("nothing is queued that a source could take; fulltape audit queues what is missing")
    else:
        typer.echo(
            f"done in about {wrapping.length(expected.seconds)}, {iso(expected.ends_at)[:16]}Z; nothing was sent"
        )
    if expected.guessed:
        typer.echo(f"rows and disk of {', '.join(expected.guessed)} are a guess: nothing of it is held yet")
    if expected.left_over:
        typer.echo(f"{counted(expected.left_over, 'task')} that no source may take now")
