"""`fulltape export`: the bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fulltape.terminal import options
from fulltape.terminal.options import JsonOption, NodeOption, QuietOption, counted
from fulltape.terminal.progress import Watch

PANEL = "Stages of a night"
PLACE = 5


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog="Example: fulltape export --node ~/market")(export)


def export(
    tar: Annotated[
        Path | None,
        typer.Option(help="Write the bundle into this file, too: FILE.tar.zst.", show_default=False),
    ] = None,
    node: NodeOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write the bundle of the newest final session, unless an equal one is there."""

    from fulltape import errors
    from fulltape.bundle import archive
    from fulltape.bundle.layout import GAPS_PAGE
    from fulltape.clock import SystemClock
    from fulltape.export import run

    with options.opened(node) as context, Watch(quiet=quiet or json) as watch:
        report = run.run_once(context, SystemClock(), watch)
    if report and report.damaged:
        raise errors.CorruptPartError(
            f"{', '.join(report.damaged[:3])}: not what was written, and withdrawn; nothing is exported.",
            hint="fulltape nightly makes it again from the raw parts, and then exports.",
        )
    if tar is not None and report is not None:
        archive.write(Path(report.path), tar.expanduser())
    if json:
        options.emit_json(report)
        return
    if report is None:
        typer.echo("nothing that is final is curated yet; run fulltape nightly first.", err=True)
        raise typer.Exit(1)
    if not quiet:
        typer.echo(f"{report.path} ({'written' if report.written else 'unchanged'})")
        typer.echo(
            f"{counted(report.files, 'file')}, {counted(report.rows, 'row')}, {report.bytes / 1e6:.1f} MB; "
            f"{counted(report.held_out, 'row')} held out"
        )
        if not report.whole:
            typer.echo(f"not everything is there or good: {report.path}/{GAPS_PAGE} says what lacks, and why")
        typer.echo(
            "survivorship: BIASED, since the universe is today's list, not a dated one (docs/symbols.md)"
        )
