"""`fulltape curate`: raw parts become curated files."""

from __future__ import annotations

import typer

from fulltape.terminal import options
from fulltape.terminal.options import JsonOption, NodeOption, QuietOption, counted, number
from fulltape.terminal.progress import Watch

PANEL = "Stages of a night"
PLACE = 3


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog="Example: fulltape curate --node ~/market")(curate)


def curate(node: NodeOption = None, json: JsonOption = False, quiet: QuietOption = False) -> None:
    """Check every source's new cells, choose between sources, and rewrite the curated folders that changed."""

    from fulltape.clock import SystemClock
    from fulltape.curate import run

    with options.opened(node) as context, Watch(quiet=quiet or json) as watch:
        report = run.run_once(context, SystemClock(), watch)
    if json:
        options.emit_json(report)
    elif not quiet:
        typer.echo(
            f"{counted(report.written, 'folder')} written of {number(report.folders)} looked at; "
            f"{counted(report.partial, 'cell')} left for another source, as incomplete or RED"
        )
