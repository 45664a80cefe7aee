"""`fulltape backfill`: fetch what the queue asks for."""

from __future__ import annotations

import typer

from fulltape.cli import options
from fulltape.cli.options import JsonOption, NodeOption, QuietOption, counted
from fulltape.cli.progress import Watch


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog="Example: fulltape audit && fulltape backfill")(backfill)


def backfill(node: NodeOption = None, json: JsonOption = False, quiet: QuietOption = False) -> None:
    """Fetch queued tasks from every source that has room, and seal the answers."""
    import dataclasses

    from fulltape.clock import SystemClock
    from fulltape.core.time import iso
    from fulltape.node import nightly
    from fulltape.seal import run as seal

    with options.opened(node, asking=True) as stores, Watch(quiet=quiet or json) as watch:
        clock = SystemClock(stores.ledger.budgets.anchor)
        seal.run_once(stores, clock, watch)
        filled = nightly.fill(stores, clock, watch)
        left = len(stores.ledger.queue.open())
    if json:
        options.emit_json({**dataclasses.asdict(filled), "open_tasks": left})
    elif not quiet:
        typer.echo(
            f"{counted(filled.requests, 'request')}, {counted(filled.pages, 'page')}, {counted(filled.rows, 'row')}; "
            f"{counted(left, 'open task')} left"
        )
        for source, why, room in filled.waiting:
            typer.echo(f"{source} waits ({why}) until {iso(room)}")
    options.fail_for_vendors(filled)
    if left:
        raise typer.Exit(1)
