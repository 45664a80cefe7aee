"""`fulltape jobs`: what a node does, piece by piece."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fulltape.terminal import options
from fulltape.terminal.options import JsonOption, NodeOption, QuietOption
from fulltape.terminal.progress import Watch

if TYPE_CHECKING:
    from fulltape.context.jobs import StageReport

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
    """List the jobs of a node: their places in a night, what makes each worth running, and what it locks."""
    if context.invoked_subcommand:
        return
    from fulltape.node import jobs as known

    found = known.everything().values()
    if json:
        options.emit_json(
            [{"job": one.name, "nights": one.nights, "after": one.after, "locks": one.locks} for one in found]
        )
        return
    for one in sorted(found, key=lambda one: (one.nights or (1_000,), one.name)):
        places = ", ".join(map(str, one.nights)) or "-"
        typer.echo(f"{one.name:<9} {places:<7} {' '.join(one.after) or '-':<8} {' '.join(one.locks) or '-'}")


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
    quiet: QuietOption = False,
) -> None:
    """Run one job now, and say what it has done."""
    from fulltape.clock import SystemClock
    from fulltape.context.jobs import Budget
    from fulltape.node import jobs as known

    job = known.get(name)
    with options.opened(node, asking=True) as context, Watch(quiet=quiet) as watch:
        clock = SystemClock(context.ledger.boots.anchor)
        report = job.run(context, clock, watch, Budget(seconds=seconds))
    if not quiet:
        typer.echo(f"{name}: {_words(report)}")


def _words(report: StageReport | None) -> str:
    """The numbers of a report that are not 0, and how many there are of what it lists."""
    found = []
    for name in getattr(report, "__dataclass_fields__", ()):
        value = getattr(report, name)
        many = len(value) if isinstance(value, (tuple, list, dict)) else value
        if isinstance(many, int) and many:
            found.append(f"{many:,} {name.replace('_', ' ')}")
    return ", ".join(found) or "nothing to do"
