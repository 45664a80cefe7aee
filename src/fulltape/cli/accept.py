"""`fulltape accept`: the user's decision that a silence is right."""

from __future__ import annotations

from typing import Annotated

import typer

from fulltape import errors
from fulltape.terminal import options
from fulltape.terminal.options import NodeOption, counted

PANEL = "Keep"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        epilog='Example: fulltape accept equities_bars_day AAPL 2024-06-10 2024-06-14 --reason "halted"'
    )(accept)


def accept(
    dataset: Annotated[str, typer.Argument(help="The dataset.", show_default=False)],
    symbol: Annotated[str, typer.Argument(help="The instrument, or its symbol.", show_default=False)],
    first: Annotated[str, typer.Argument(help="First session, YYYY-MM-DD.", show_default=False)],
    last: Annotated[str, typer.Argument(help="Last session, inclusive.", show_default=False)],
    reason: Annotated[str, typer.Option(help="Why nothing was traded; it is shown with the cells.")] = "",
    revoke: Annotated[bool, typer.Option("--revoke", help="Take such a decision back.")] = False,
    node: NodeOption = None,
) -> None:
    """Accept that an instrument has no rows in some sessions although fulltape does not believe it.

    Cells for which every source has answered without rows then count as empty. Rows that come later are taken all the
    same, and the sources are asked again every 90 days. `--revoke` takes the decision back.
    """
    from fulltape.clock import SystemClock
    from fulltape.node import accepting

    if not (reason.strip() or revoke):
        raise errors.UsageError(
            "a decision needs a reason.", hint='Give one: --reason "halted by the exchange".'
        )
    start, end = options.session(first), options.session(last)
    if start > end:
        raise errors.UsageError(f"{first} is after {last}.", hint="The first session comes first.")
    with options.opened(node) as context:
        done = accepting.accept(
            context,
            SystemClock(),
            dataset,
            symbol,
            start,
            end,
            reason=reason.strip() or "revoked",
            revoke=revoke,
        )
    words = "no longer accepted as empty" if revoke else "accepted as empty"
    typer.echo(
        f"{counted(done.sessions, 'session')} of {dataset} {done.instrument} {words}: {reason.strip() or 'revoked'}"
    )
    if done.open and not revoke:
        typer.echo(f"Of them {counted(done.open, 'session')} will count only once every source has answered.")
    if done.refused and not revoke:
        typer.echo(
            f"{counted(done.refused, 'session')} of them no source has answered; the decision says nothing about those."
        )
    if done.held:
        typer.echo(
            f"{counted(done.held, 'session')} of them have rows; the decision says nothing about those."
        )
