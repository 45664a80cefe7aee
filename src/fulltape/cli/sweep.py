"""`fulltape sweep`: the end of what grows."""

from __future__ import annotations

from typing import Annotated

import typer

from fulltape.terminal import options, wrapping
from fulltape.terminal.options import JsonOption, NodeOption, QuietOption

PANEL = "Stages of a night"
PLACE = 8


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog="Example: fulltape sweep --dry-run")(sweep)


def sweep(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would go, and why.")] = False,
    node: NodeOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Remove what nothing needs any more, as the settings under retention say; a night does so at its end."""
    from fulltape.clock import SystemClock
    from fulltape.sweep import run

    with options.opened(node) as context:
        report = run.run_once(context, SystemClock(), dry_run=dry_run)
    if json:
        options.emit_json(report)
    elif not quiet:
        went = "would go" if dry_run else "went"
        wrapping.say(
            f"{removal.count:,} {removal.what} {went} ({removal.bytes / 1e6:,.1f} MB): {removal.why}"
            for removal in report.removals
        )
        if report.unproved:
            wrapping.say(
                [
                    f"{report.unproved:,} files stay until every place of [sync] has proved them (fulltape sync)"
                ]
            )
        elif not report.removals:
            typer.echo("nothing is old enough to go.")
