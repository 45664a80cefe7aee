"""`fulltape regroup`: closed months and years of curated rows by instrument."""

from __future__ import annotations

import typer

from fulltape.terminal import options
from fulltape.terminal.options import JsonOption, NodeOption, QuietOption, counted
from fulltape.terminal.progress import Watch

PANEL = "Stages of a night"
PLACE = 6


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog="Example: fulltape regroup --node ~/market")(regroup)


def regroup(node: NodeOption = None, json: JsonOption = False, quiet: QuietOption = False) -> None:
    """Write closed months and years a second time, by instrument, for datasets that are set to (dataset.by_instrument)."""

    from fulltape.clock import SystemClock
    from fulltape.regroup import run

    with options.opened(node) as context, Watch(quiet=quiet or json) as watch:
        report = run.run_once(context, SystemClock(), watch)
    if json:
        options.emit_json(report)
    elif not quiet:
        typer.echo(f"{counted(report.folders, 'folder')} written, {counted(report.rows, 'row')}")
    if report.left:
        if quiet or json:
            typer.echo(report.left, err=True)
        raise typer.Exit(4)
