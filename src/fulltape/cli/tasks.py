"""`fulltape tasks`: the queue."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from fulltape.cli import options
from fulltape.cli.options import JsonOption, NodeOption, counted

STATES = ("queued", "leased", "fetched", "done", "stalled", "unobtainable", "cancelled")

app = typer.Typer(
    invoke_without_command=True,
    help="List tasks, newest first: what was asked for, by whom it was taken, how it ended.",
    epilog="Example: fulltape tasks --state stalled",
)


@app.callback()
def tasks(
    context: typer.Context,
    state: Annotated[str, typer.Option(help=f"Only one state: {', '.join(STATES)}.")] = "",
    most: Annotated[int, typer.Option(min=1, max=100_000, help="How many, newest first.")] = 20,
    node: NodeOption = None,
    json: JsonOption = False,
) -> None:
    """List tasks, newest first: what was asked for, by whom it was taken, how it ended."""
    if context.invoked_subcommand:
        return
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


@app.command(epilog="Example: fulltape tasks retry 17 18")
def retry(
    task_ids: Annotated[
        list[int] | None,
        typer.Argument(help="Stalled tasks by number; all of them without.", show_default=False),
    ] = None,
    node: NodeOption = None,
) -> None:
    """Queue stalled tasks again, with their failures forgotten."""
    with options.opened(node) as stores:
        chosen = task_ids or [task.task_id for task in stores.ledger.queue.stalled()]
        with stores.ledger.write():
            queued = [task_id for task_id in chosen if stores.ledger.queue.retry(task_id)]
    typer.echo(f"{counted(len(queued), 'task')} queued again; run fulltape backfill or nightly.")
    if task_ids and len(queued) < len(task_ids):
        left = [str(task_id) for task_id in task_ids if task_id not in queued]
        typer.echo(f"not stalled, left alone: {', '.join(left)}", err=True)
        raise typer.Exit(1)
