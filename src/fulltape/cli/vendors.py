"""`fulltape vendors`: the registry: who serves what, within which limits, and how it went today."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fulltape.cli import options
from fulltape.cli.options import JsonOption, NodeOption, counted, number

if TYPE_CHECKING:
    from fulltape.node.registry import Entry

_MOST_SYMBOLS = 8


app = typer.Typer(
    invoke_without_command=True,
    help="Show what each source serves, its limits and today's budgets, who may not be asked, success and latency.",
    epilog="Example: fulltape vendors --json",
)


@app.callback()
def vendors(context: typer.Context, node: NodeOption = None, json: JsonOption = False) -> None:
    """Show what each source serves, its limits and today's budgets, who may not be asked, success and latency."""
    if context.invoked_subcommand:
        return
    import dataclasses

    from fulltape.clock import SystemClock
    from fulltape.node import registry

    with options.opened(node) as stores:
        found = registry.entries(stores, SystemClock(stores.ledger.budgets.anchor))
    if json:
        options.emit_json([dataclasses.asdict(entry) for entry in found])
        return
    for entry in found:
        for line in lines(entry):
            typer.echo(line)


@app.command(epilog="Example: fulltape vendors forget SOURCE AAPL")
def forget(
    source: Annotated[
        str, typer.Argument(help="A source, as `fulltape vendors` names it.", show_default=False)
    ],
    symbols: Annotated[
        list[str] | None,
        typer.Argument(help="Only these symbols; all of them without.", show_default=False),
    ] = None,
    node: NodeOption = None,
) -> None:
    """Forget that a source refused symbols, as after a change of plan; the next audit asks it again."""
    from fulltape import errors
    from fulltape.clock import SystemClock

    with options.opened(node) as stores:
        if source not in stores.feeds:
            raise errors.UsageError(
                f"this node has no source {source}.", hint=f"It has {', '.join(stores.feeds)}."
            )
        now = SystemClock().now()
        with stores.ledger.write():
            count = stores.ledger.eligibility.forget_refusals(source, symbols or (), now=now)
            stores.ledger.queue.forget_refusals(source)
    typer.echo(
        f"{counted(count, 'refusal')} of {source} forgotten; run fulltape audit, then backfill or nightly."
    )


def lines(entry: Entry) -> list[str]:
    """A source in a few lines."""
    limits = ", ".join(
        f"{name.replace('_', ' ')} {number(value) if isinstance(value, (int, float)) else value}"
        for name, value in entry.limits.items()
        if name not in ("day_zone", "counted_by", "history_days", "endpoints")
    )
    out = [f"{entry.source} ({entry.scope}), preference {entry.preference:g}"]
    out.append(f"  limits   {limits or 'none'}; a day begins at midnight {entry.limits['day_zone']}")
    if entry.learned_per_minute:
        out.append(f"  learned  {entry.learned_per_minute} a minute, from its answers")
    today = ", ".join(f"{number(count)} {kind}" for kind, count in sorted(entry.today.items()) if kind)
    out.append(
        f"  sent     {entry.last_minute} in the last minute; {number(sum(entry.today.values()))} today"
        + (f" ({today})" if today else "")
        + (f"; closed until {entry.closed_until}" if entry.closed_until else "")
    )
    if entry.success is not None and entry.latency_ms is not None:
        out.append(
            f"  last day {counted(entry.requests, 'request')}, {entry.success:.1%} answered, "
            f"{entry.latency_ms:,.0f} ms each; breaker {entry.breaker}"
        )
    else:
        out.append(f"  last day no request; breaker {entry.breaker}")
    for served in entry.serves:
        symbols = counted(served.symbols_per_request, "symbol")
        out.append(
            f"  {'serves  ' if served.wanted else 'could   '} {served.dataset} from {served.history_from}, "
            f"{symbols} a request, {number(served.rows_per_page)} rows a page"
        )
        shown = list(served.refused.items())[:_MOST_SYMBOLS]
        out += [f"             not {symbol}: {why}" for symbol, why in shown]
        if len(served.refused) > len(shown):
            out.append(
                f"             and {counted(len(served.refused) - len(shown), 'symbol')} more (--json)"
            )
    return out
