"""`fulltape vendors`: the registry: who serves what, within which limits, and how it went today."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fulltape.terminal import options, wrapping
from fulltape.terminal.options import JsonOption, NodeOption, counted, number

if TYPE_CHECKING:
    from fulltape.node.selftest import ProbeResult
    from fulltape.views.registry import Entry

_MOST_SYMBOLS = 8


app = typer.Typer(
    invoke_without_command=True,
    help="Show what each source serves, its limits and today's budgets, who may not be asked, success and latency.",
    epilog="Example: fulltape vendors --json",
)
PANEL = "Begin"


def register(root: typer.Typer) -> None:
    """Add the verbs."""
    root.add_typer(app, name="vendors")


@app.callback()
def vendors(ctx: typer.Context, node: NodeOption = None, json: JsonOption = False) -> None:
    """Show what each source serves, its limits and today's budgets, who may not be asked, success and latency."""
    if ctx.invoked_subcommand:
        return

    from fulltape.clock import SystemClock
    from fulltape.views import registry

    with options.opened(node) as context:
        entries = registry.entries(context, SystemClock(context.ledger.boots.anchor))
    if json:
        options.emit_json(entries)
        return
    for entry in entries:
        wrapping.say(lines(entry))


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

    with options.opened(node) as context:
        if source not in context.feeds:
            raise errors.UsageError(
                f"this node has no source {source}.", hint=f"It has {', '.join(context.feeds)}."
            )
        now = SystemClock().now()
        with context.ledger.write():
            count = context.ledger.eligibility.forget_refusals(source, symbols or (), now=now)
            context.ledger.queue.forget_refusals(source)
    typer.echo(
        f"{counted(count, 'refusal')} of {source} forgotten; run fulltape audit, then backfill or nightly."
    )


@app.command(epilog="Example: fulltape vendors check NAME")
def check(
    vendor: Annotated[
        str, typer.Argument(help="A vendor with a table in fulltape.toml.", show_default=False)
    ],
    node: NodeOption = None,
    json: JsonOption = False,
) -> None:
    """Ask a vendor, with your own key, the smallest request of each of its datasets, and tell what it showed."""

    from fulltape.clock import SystemClock
    from fulltape.node import assemble, selftest

    context = assemble.open_for(options.load(node), vendor)
    try:
        probes = []
        for shown in selftest.run(context, vendor, SystemClock(context.ledger.boots.anchor)):
            probes.append(shown)
            if not json:
                wrapping.say([_told(shown)])
    finally:
        context.close()
    if json:
        options.emit_json(probes)
    allowed = max((shown.allowed_per_minute for shown in probes), default=0)
    if allowed and not json:
        typer.echo(f"Your key is allowed {number(allowed)} requests a minute, as its answers say.")
    if any(shown.outcome not in ("rows", "empty", "not asked") for shown in probes):
        raise typer.Exit(3)
    if any(shown.outcome != "not asked" and not shown.rows for shown in probes if not _may_be_quiet(shown)):
        raise typer.Exit(1)


def _may_be_quiet(shown: ProbeResult) -> bool:
    """Whether a dataset of events has nothing on most days."""
    from fulltape.market import datasets

    return datasets.get(shown.dataset).expectation == "events"


def _told(shown: ProbeResult) -> str:
    span = shown.first if shown.first == shown.last else f"{shown.first} to {shown.last}"
    line = f"{shown.source:<18} {shown.dataset:<27} {shown.symbol:<10} {span:<26} "
    if shown.outcome in ("rows", "empty"):
        line += f"{counted(shown.rows, 'row')} in {counted(shown.requests, 'request')}, {shown.took:.1f} s"
        return line if shown.rows or _may_be_quiet(shown) else f"{line}: an answer, but nothing to read in it"
    return line + f"{shown.outcome.replace('_', ' ')}: {shown.reason}"


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
    if entry.streams:
        out.append(f"  live     {', '.join(entry.streams)}")
    for served in entry.serves:
        symbols = counted(served.symbols_per_request, "symbol")
        out.append(
            f"  {'serves  ' if served.wanted else 'offers  '} {served.dataset} from {served.history_from}, "
            f"{symbols} a request, {number(served.rows_per_page)} rows a page"
        )
        if served.rechecked:
            out.append(
                f"             asked again about {counted(served.rechecked, 'session')}, restated "
                f"{number(served.restated)} ({served.restated / served.rechecked:.2%})"
            )
        shown = list(served.refused.items())[:_MOST_SYMBOLS]
        out += [f"             not {symbol}: {why}" for symbol, why in shown]
        if len(served.refused) > len(shown):
            out.append(
                f"             and {counted(len(served.refused) - len(shown), 'symbol')} more (--json)"
            )
    return out
