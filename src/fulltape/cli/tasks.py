"""`fulltape tasks`: the queue."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from fulltape.cli import options
from fulltape.cli.options import JsonOption, NodeOption

STATES = ("queued", "leased", "fetched", "done", "stalled", "unobtainable", "cancelled")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog="Example: fulltape tasks --state stalled")(tasks)


def tasks(
    state: Annotated[str, typer.Option(help=f"Only one state: {', '.join(STATES)}.")] = "",
    most: Annotated[int, typer.Option(min=1, max=100_000, help="How many, newest first.")] = 20,
    node: NodeOption = None,
    json: JsonOption = False,
) -> None:
    """List tasks, newest first: what was asked for, by whom it was taken, how it ended."""
    from fulltape import errors

    if state and state not in STATES:
        raise errors.UsageError(f"{state!r} is no state.", hint=f"States: {', '.join(STATES)}.")
    with options.opened(node) as stores:
        found = stores.ledger.queue.newest(state=state, most=most)
    if json:
        options.emit_json([dataclasses.asdict(task) for task in found])
        return
    for task in found:
        by = f" by {task.source}" if task.source else ""
        why = f" ({task.last_error})" if task.last_error else ""
        typer.echo(
            f"{task.task_id:>6} {task.state:<12} {task.kind:<9} {task.dataset} {task.symbol} "
            f"{task.first} to {task.last}{by}{why}"
        )
    if not found:
        typer.echo("no tasks" if not state else f"no {state} tasks")
