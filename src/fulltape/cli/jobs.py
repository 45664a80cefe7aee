"""`fulltape jobs`: what a node does, piece by piece."""

from __future__ import annotations

from typing import Annotated

import typer

from fulltape.terminal import options
from fulltape.terminal.options import JsonOption, NodeOption, QuietOption
from fulltape.terminal.progress import Watch

PANEL = "Stages of a night"
PLACE = 10
app = typer.Typer(
    invoke_without_command=True, no_args_is_help=False, epilog="Example: fulltape jobs run sweep"
)


def register(root: typer.Typer) -> None:
    """Add the verbs."""
    root.add_typer(app, name="jobs")


@app.callback()
def jobs(context: typer.Context, json: JsonOption = False) -> None:
    """List the jobs of a node: their places in a night, what each may run beside, and what it locks."""
    if context.invoked_subcommand:
        return
    from fulltape.node import jobs as known

    every_job = known.everything().values()
    if json:
        options.emit_json(
            [
                {
                    "job": entry.name,
                    "summary": entry.summary,
                    "nights": entry.nights,
                    "lane": entry.lane,
                    "locks": entry.locks,
                }
                for entry in every_job
            ]
        )
        return
    typer.echo(f"{'job':<13} {'night':<7} {'lane':<6} what it does")
    for job in sorted(every_job, key=lambda entry: (entry.nights or (1_000,), entry.name)):
        places = ", ".join(map(str, job.nights)) or "-"
        typer.echo(f"{job.name:<13} {places:<7} {job.lane:<6} {job.summary}")
    typer.echo(
        "\nA night runs those with a number, the smaller ones first. fulltape run runs jobs of several lanes side by side, when "
        "they are due (fulltape schedule)."
    )


@app.command(epilog="Example: fulltape jobs run sweep")
def run(
    name: Annotated[str, typer.Argument(help="The job, as fulltape jobs lists it.")],
    seconds: Annotated[
        float | None,
        typer.Option(
            "--for", help="Seconds after which it may end early, where it can.", min=0, show_default=False
        ),
    ] = None,
    node: NodeOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Run one job now, and print what it did."""
    from fulltape.clock import SystemClock
    from fulltape.context.jobs import Budget
    from fulltape.node import jobs as known

    job = known.get(name)
    # Only a job that fetches needs the vendors' keys.
    with options.opened(node, asking="backfill" in job.locks) as context, Watch(quiet=quiet or json) as watch:
        clock = SystemClock(context.ledger.boots.anchor)
        report = known.run(job, context, clock, watch, Budget(seconds=seconds))
    complete = report is None or report.complete
    if json:
        options.emit_json({"job": name, "complete": complete, "did": known.numbers(report)})
    elif not quiet:
        done = ", ".join(f"{many:,} {what.replace('_', ' ')}" for what, many in known.numbers(report).items())
        typer.echo(f"{name}: {done or 'nothing to do'}")
    if not complete:
        raise typer.Exit(1)
