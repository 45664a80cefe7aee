"""`fulltape audit`: what is missing, and why any cell is what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fulltape.terminal import options, wrapping
from fulltape.terminal.options import JsonOption, NodeOption, QuietOption, counted, number
from fulltape.terminal.progress import Watch

if TYPE_CHECKING:
    from fulltape.views.explain import Explanation


PANEL = "Stages of a night"
PLACE = 0


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog="Example: fulltape audit --explain equities_bars_day AAPL 2012-10-29")(audit)


def audit(
    explain: Annotated[
        tuple[str, str, str] | None,
        typer.Option(
            metavar="DATASET SYMBOL SESSION", help="Tell one cell's whole story.", show_default=False
        ),
    ] = None,
    incremental: Annotated[
        bool,
        typer.Option(
            "--incremental", help="Look only at what may have changed since the last audit; counts nothing."
        ),
    ] = False,
    node: NodeOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compare coverage with the calendar, and enqueue tasks for what is missing."""
    if explain:
        _explain(explain, node, json)
        return
    if incremental:
        _incremental(node, json, quiet)
        return

    from fulltape.audit import run
    from fulltape.clock import SystemClock
    from fulltape.terminal.summary import STATES

    with options.opened(node) as context, Watch(quiet=quiet or json) as watch:
        report = run.run_once(context, SystemClock(), watch)
    if json:
        options.emit_json(report)
    elif not quiet:
        for name in ("wanted", "held", "partial", "empty", "unobtainable", "unknown_listing", "missing"):
            typer.echo(f"{number(getattr(report, name)):>12} {STATES.get(name, name)}")
        typer.echo(f"{counted(report.tasks, 'new task')} enqueued")
    if not report.complete:
        raise typer.Exit(1)


def _incremental(node: NodeOption, json: bool, quiet: bool) -> None:

    from fulltape.audit import run
    from fulltape.clock import SystemClock

    with options.opened(node) as context, Watch(quiet=quiet or json) as watch:
        report = run.run_incremental(context, SystemClock(), watch)
    if json:
        options.emit_json(report)
    elif not quiet:
        typer.echo(f"{number(report.series)} series looked at, {counted(report.tasks, 'new task')} enqueued")


def _explain(asked: tuple[str, str, str], node: NodeOption, json: bool) -> None:
    from fulltape import errors
    from fulltape.clock import SystemClock
    from fulltape.market import datasets
    from fulltape.views import explain as explaining

    dataset, symbol, text = asked
    session = options.session(text)
    with options.opened(node) as context:
        wanted = context.wanted.get(datasets.get(dataset).name)
        if wanted is None:
            raise errors.UsageError(
                f"this node does not want {dataset}.", hint=f"It wants {', '.join(context.wanted)}."
            )
        instrument = next(
            (
                name
                for name, listed in wanted.instruments.items()
                if name == symbol or any(dated.symbol == symbol for dated in listed.symbols)
            ),
            None,
        )
        if instrument is None:
            raise errors.UsageError(
                f"{symbol} is not in the universe of {dataset}.",
                hint=f"It has {', '.join(wanted.instruments)}.",
            )
        story = explaining.explain(context, SystemClock(), wanted, instrument, session)
    if json:
        options.emit_json(story)
        return
    wrapping.say(lines(story, symbol, text))


def lines(story: Explanation, symbol: str, session: str) -> list[str]:
    """A cell's story."""
    from fulltape.views import story as stories

    return [
        f"{story.title} {symbol} {session}",
        f"  {stories.answer(story)}",
        *(f"  {name:<13} {text}" for name, text in stories.pairs(story)),
    ]
