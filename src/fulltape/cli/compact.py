"""`fulltape compact`: many small raw parts of a folder become one."""

from __future__ import annotations

import typer

from fulltape.terminal import options
from fulltape.terminal.options import JsonOption, NodeOption, QuietOption, counted
from fulltape.terminal.progress import Watch

PANEL = "Stages of a night"
PLACE = 7


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog="Example: fulltape compact --node ~/market")(compact)


def compact(node: NodeOption = None, json: JsonOption = False, quiet: QuietOption = False) -> None:
    """Write the small raw files of a folder into one, once its sessions are final. The small ones are removed by a sweep, a day
    later."""

    from fulltape.clock import SystemClock
    from fulltape.compact import run

    with options.opened(node) as context, Watch(quiet=quiet or json) as watch:
        report = run.run_once(context, SystemClock(), watch)
    if json:
        options.emit_json(report)
    elif not quiet:
        became = f"{counted(report.parts, 'raw file')} became {report.folders:,}"
        typer.echo(f"{became}, {counted(report.rows, 'row')}" if report.folders else "nothing to compact")
    if report.left:
        if quiet or json:
            typer.echo(report.left, err=True)
        raise typer.Exit(4)
