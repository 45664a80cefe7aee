"""`fulltape curate`: raw parts become curated files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fulltape.terminal import options
from fulltape.terminal.options import JsonOption, NodeOption, QuietOption, counted, number
from fulltape.terminal.progress import Watch

PANEL = "Stages of a night"
PLACE = 3


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog="Example: fulltape curate --explain equities_bars_day AAPL 2024-06-03")(curate)


def curate(
    explain: Annotated[
        tuple[str, str, str] | None,
        typer.Option(
            metavar="DATASET SYMBOL SESSION",
            help="Only tell which source a cell has, why, and what the others say of it.",
            show_default=False,
        ),
    ] = None,
    node: NodeOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Check every source's new cells, choose between sources, and rewrite the curated folders that changed."""

    from fulltape.clock import SystemClock
    from fulltape.curate import run

    if explain:
        _explain(*explain, node=node, json=json)
        return
    with options.opened(node) as context, Watch(quiet=quiet or json) as watch:
        report = run.run_once(context, SystemClock(), watch)
    if json:
        options.emit_json(report)
    elif not quiet:
        typer.echo(
            f"{counted(report.written, 'folder')} written of {number(report.folders)} looked at; "
            f"{counted(report.partial, 'cell')} left for another source, as incomplete or RED"
        )


def _explain(dataset: str, symbol: str, session: str, *, node: Path | None, json: bool) -> None:
    from fulltape.clock import SystemClock
    from fulltape.curate import explained
    from fulltape.views import gaps

    day = options.session(session)
    with options.opened(node) as context:
        wanted, instrument = gaps.series_of(context, dataset, symbol)
        cells = explained.explain(context, wanted, instrument, day, SystemClock().now())
    if json:
        options.emit_json({"sources": cells})
        return
    if not cells:
        typer.echo(
            f"no source has rows of {dataset} {symbol} on {day}; "
            f"fulltape audit --explain {dataset} {symbol} {day} tells why."
        )
    for cell in cells:
        typer.echo(f"{cell.source}: {'chosen' if cell.chosen else 'not chosen'}: {cell.reason}")
        codes = f" ({cell.codes.replace(',', ', ')})" if cell.codes else ""
        values = ", ".join(f"{name} {value:,.10g}" for name, value in cell.values.items())
        captured = ", captured live" if cell.captured else ""
        typer.echo(f"    {counted(cell.rows, 'row')}, {cell.verdict}{codes}{captured}; {values}")
