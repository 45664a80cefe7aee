"""`fulltape bundles`: the bundles there are, and which of them hold cells that were changed since."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from fulltape.terminal import options
from fulltape.terminal.options import JsonOption, NodeOption, counted

if TYPE_CHECKING:
    from fulltape.views.bundles import BundleState

PANEL = "Look"
_NAMED = 5


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog="Example: fulltape bundles --stale")(bundles)


def bundles(
    stale: Annotated[
        bool,
        typer.Option("--stale", help="Only those of which something has changed; the exit code is then 1."),
    ] = False,
    node: NodeOption = None,
    json: JsonOption = False,
) -> None:
    """List the bundles, and what in them has been changed since: cells whose rows, and ex-dates whose factors, are others now."""
    from fulltape.views import bundles as view

    with options.opened(node) as context:
        states = [state for state in view.states(context) if not stale or state.stale or state.problem]
    if json:
        options.emit_json({"bundles": states})
    elif not states:
        typer.echo("No bundle is stale." if stale else "There is no bundle yet; run fulltape nightly first.")
    else:
        for state in states:
            for line in _lines(state):
                typer.echo(line)
    if stale and states:
        raise typer.Exit(1)


def _lines(state: BundleState) -> Iterator[str]:
    from fulltape.views import bundles as view

    if state.problem:
        yield f"{state.day}  {state.problem}"
        return
    size = f"{counted(state.rows, 'row')}, {state.bytes / 1e6:.1f} MB"
    counts = view.summed(state.superseded)
    words = ", ".join(
        counted(count, "factor") if name == view.FACTORS else f"{counted(count, 'cell')} of {name}"
        for name, count in counts.items()
    )
    yield f"{state.day}  {size}, {f'stale: {words} changed since' if words else 'as the node has it now'}"
    for each in state.superseded[:_NAMED]:
        span = each.first.isoformat() + (f" to {each.last}" if each.last != each.first else "")
        yield f"    {each.dataset}  {each.instrument}  {span}, {each.cells:,}"
    if len(state.superseded) > _NAMED:
        yield f"    and {counted(len(state.superseded) - _NAMED, 'instrument')} more (--json)"
