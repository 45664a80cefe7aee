"""`fulltape check`: verdicts on the curated series."""

from __future__ import annotations

import typer

from fulltape.terminal import options
from fulltape.terminal.options import JsonOption, NodeOption, QuietOption, counted, number
from fulltape.terminal.progress import Watch

PANEL = "Stages of a night"
PLACE = 4


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog="Example: fulltape check --node ~/market")(check)


def check(node: NodeOption = None, json: JsonOption = False, quiet: QuietOption = False) -> None:
    """Check what was curated since the last check, and print all verdicts."""

    from fulltape.check import run
    from fulltape.clock import SystemClock
    from fulltape.views import state

    with options.opened(node) as context, Watch(quiet=quiet or json) as watch:
        report = run.run_once(context, SystemClock(), watch)
        verdicts = state.verdicts(context, SystemClock().now())
        titles = {name: wanted.title for name, wanted in context.wanted.items()}
    if json:
        options.emit_json({"checked": report, "verdicts": verdicts})
    elif not quiet:
        typer.echo(f"{counted(report.cells, 'cell')} checked now")
        if report.broken:
            typer.echo(f"{counted(report.broken, 'session')} missing between held ones (AMBER)")
        for name, counts in verdicts.items():
            shown = ", ".join(f"{number(count)} {verdict}" for verdict, count in sorted(counts.items()))
            typer.echo(f"{titles[name]}: {shown or 'nothing checked yet'}")
    if any(counts.get("RED") for counts in verdicts.values()):
        raise typer.Exit(1)
