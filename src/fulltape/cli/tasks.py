"""`fulltape tasks`: the queue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fulltape.ledger.task_state import STATES
from fulltape.terminal import options, wrapping
from fulltape.terminal.options import JsonOption, NodeOption, counted

if TYPE_CHECKING:
    from fulltape.context import NodeContext
    from fulltape.ledger.task import Task

app = typer.Typer(
    invoke_without_command=True,
    help="List tasks, newest first: what was asked for, which source took it, how it ended.",
    epilog="Example: fulltape tasks --state stalled",
)
PANEL = "Look"


def register(root: typer.Typer) -> None:
    """Add the verbs."""
    root.add_typer(app, name="tasks")


@app.callback()
def tasks(
    ctx: typer.Context,
    state: Annotated[str, typer.Option(help=f"Only one state: {', '.join(STATES)}.")] = "",
    most: Annotated[int, typer.Option(min=1, max=100_000, help="How many, newest first.")] = 20,
    node: NodeOption = None,
    json: JsonOption = False,
) -> None:
    """List tasks, newest first: what was asked for, which source took it, how it ended."""
    if ctx.invoked_subcommand:
        return
    from fulltape import errors

    if state and state not in STATES:
        raise errors.UsageError(f"{state!r} is no state.", hint=f"States: {', '.join(STATES)}.")
    with options.opened(node) as context:
        newest = context.ledger.tasks.newest(state=state, most=most)
    if json:
        options.emit_json(newest)
        return
    for task in newest:
        by = f" by {task.source}" if task.source else ""
        why = f" ({task.last_error})" if task.last_error else ""
        line = f"{task.task_id:>6} {task.state:<12} {task.kind:<9} {task.dataset} {task.symbol} "
        wrapping.say([f"{line}{task.first} to {task.last}{by}{why}"])
    if not newest:
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
    with options.opened(node) as context:
        chosen = task_ids or [task.task_id for task in context.ledger.tasks.stalled()]
        with context.ledger.write():
            queued = [task_id for task_id in chosen if context.ledger.queue.retry(task_id)]
    typer.echo(f"{counted(len(queued), 'task')} queued again; run fulltape backfill or nightly.")
    _left_alone(task_ids or [], queued, "not stalled")


@app.command(epilog="Example: fulltape tasks show 17")
def show(
    task_id: Annotated[int, typer.Argument(help="The task's number.", show_default=False)],
    node: NodeOption = None,
    json: JsonOption = False,
) -> None:
    """Tell all about one task: what it asks for, who may take it, who must wait and why, and its requests."""
    from fulltape.market.time import to_second

    with options.opened(node) as context:
        task = _found(context, task_id)
        waits = context.ledger.tasks.waits(task_id)
        requests = context.ledger.requests.of_fetch(task.fetch_id) if task.fetch_id else []
    if json:
        options.emit_json({"task": task, "waits": waits, "requests": requests})
        return
    out = [
        f"task {task.task_id}: {task.dataset} {task.symbol} {task.first} to {task.last}",
        f"  state      {task.state}" + (f" by {task.source} ({task.worker})" if task.worker else ""),
        f"  kind       {task.kind}, {task.purpose}, batch {task.batch}, priority {task.priority}",
        f"  queued     {to_second(task.enqueued_at)}",
        f"  sources    {', '.join(task.eligible_sources) or 'any source of the dataset'}",
        f"  attempts   {task.attempt}, {counted(task.failures, 'real failure')}",
    ]
    if task.last_error:
        out.append(f"  last error {task.last_error}")
    for row in waits:
        why = f"refused: {row['refusal']}" if row["refusal"] else f"not before {to_second(row['not_before'])}"
        out.append(f"  {row['source']:<10} {why}")
    out += [
        f"  request    {to_second(row['sent_at'])} {row['source']} {row['outcome']} {row['target']}"
        for row in requests
    ]
    wrapping.say(out)


@app.command(epilog="Example: fulltape tasks cancel 17 18")
def cancel(
    task_ids: Annotated[list[int], typer.Argument(help="Tasks by number.", show_default=False)],
    node: NodeOption = None,
) -> None:
    """End queued or stalled tasks. The next audit asks again for what is still wanted and missing."""
    from fulltape.clock import SystemClock

    with options.opened(node) as context:
        now = SystemClock().now()
        with context.ledger.write():
            ended = [
                task_id
                for task_id in task_ids
                if context.ledger.queue.cancel(task_id, now=now, error="cancelled by hand")
            ]
    typer.echo(f"{counted(len(ended), 'task')} cancelled.")
    _left_alone(task_ids, ended, "neither queued nor stalled")


@app.command(epilog="Example: fulltape tasks reprioritise 17 18 --to first")
def reprioritise(
    task_ids: Annotated[list[int], typer.Argument(help="Queued tasks by number.", show_default=False)],
    to: Annotated[
        str, typer.Option(help="first, last, or where a kind stands: forward, gap, qc_probe, bootstrap.")
    ] = "first",
    node: NodeOption = None,
) -> None:
    """Let queued tasks be taken before all others, after them, or where tasks of another kind stand."""
    from fulltape import errors
    from fulltape.ledger.task import FIRST, LAST, PRIORITY

    places = {"first": FIRST, "last": LAST, **{kind.lower(): at for kind, at in PRIORITY.items()}}
    if to not in places:
        raise errors.UsageError(f"{to!r} is no place in the queue.", hint=f"Places: {', '.join(places)}.")
    with options.opened(node) as context, context.ledger.write():
        moved = [task_id for task_id in task_ids if context.ledger.queue.reprioritise(task_id, places[to])]
    typer.echo(f"{counted(len(moved), 'task')} moved: {to}.")
    _left_alone(task_ids, moved, "not queued")


def _found(context: NodeContext, task_id: int) -> Task:
    from fulltape import errors

    task = context.ledger.tasks.get(task_id)
    if task is None:
        raise errors.UsageError(f"there is no task {task_id}.", hint="List them with `fulltape tasks`.")
    return task


def _left_alone(asked: list[int], done: list[int], why: str) -> None:
    left = [str(task_id) for task_id in asked if task_id not in done]
    if left:
        typer.echo(f"{why}, left alone: {', '.join(left)}", err=True)
        raise typer.Exit(1)
