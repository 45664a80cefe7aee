"""`fulltape status`: the node at a glance."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from fulltape.cli import options
from fulltape.cli.options import JsonOption, NodeOption, counted, number

if TYPE_CHECKING:
    from fulltape.ledger.database import Row
    from fulltape.node.state import SourceState
    from fulltape.stores import Stores


_NUMBER = re.compile(r"\d[\d.,:T+-]*Z?")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog="Example: fulltape status --picture")(status)


def status(
    picture: Annotated[
        bool, typer.Option("--picture", help="Draw coverage: symbols by months and sessions.")
    ] = False,
    node: NodeOption = None,
    json: JsonOption = False,
) -> None:
    """Show coverage, tasks, sources with their budgets, rejected pages, verdicts and the newest bundle."""
    from fulltape.clock import SystemClock
    from fulltape.node import state

    with options.opened(node) as stores:
        clock = SystemClock(stores.ledger.budgets.anchor)
        now = clock.now()
        cells = state.cells(stores, now)
        verdicts = state.verdicts(stores)
        sources = state.sources(stores, clock)
        counts = stores.ledger.queue.counts()
        rejections = stores.ledger.rejections()
        export = stores.ledger.newest_export()
        drawing = _drawing(stores, now) if picture else []
        titles = {name: wanted.title for name, wanted in stores.wanted.items()}
        future = state.not_begun(stores, now)
    if json:
        options.emit_json(
            {
                "cells": cells,
                "verdicts": verdicts,
                "sources": sources,
                "tasks": counts,
                "rejected": rejections,
                "export": export,
            }
        )
        return
    for line in drawing:
        typer.echo(line)
    for name, by_state in cells.items():
        shown = ", ".join(
            f"{number(count)} {word.replace('_', ' ')}" for word, count in by_state.items() if count
        )
        typer.echo(f"{titles[name]}: {shown or 'nothing wanted yet'}")
        said = ", ".join(f"{number(count)} {verdict}" for verdict, count in sorted(verdicts[name].items()))
        typer.echo(f"  verdicts: {said or 'none yet'}")
    for sentence in future:
        typer.echo(sentence)
    by_kind: dict[str, int] = {}
    for row in counts:
        kind = f"{row['state']} {row['kind']}"
        by_kind[kind] = by_kind.get(kind, 0) + row["tasks"]
    typer.echo(
        "tasks: " + (", ".join(f"{number(count)} {kind}" for kind, count in by_kind.items()) or "none")
    )
    for source in sources:
        for line in source_lines(source):
            typer.echo(line)
    for source_name, rows, reason in _summed(rejections):
        typer.echo(f"rejected: {source_name}, {counted(rows, 'time')}: {reason}")
    typer.echo(f"newest bundle: {export['path']}" if export else "newest bundle: none")


def _summed(rejections: Sequence[Row]) -> list[tuple[str, int, str]]:
    """Rejections by source and kind of reason: those that differ in their numbers only are one kind."""
    found: dict[tuple[str, str], list[Row]] = {}
    for row in rejections:
        found.setdefault((row["source"], _NUMBER.sub("…", row["reason"])), []).append(row)
    return [
        (source, sum(row["pages"] for row in rows), kind if len(rows) > 1 else rows[0]["reason"])
        for (source, kind), rows in found.items()
    ]


def source_lines(source: SourceState) -> list[str]:
    """A source's requests, budgets and refusals."""
    per_minute = (
        f"{source.last_minute} of {source.per_minute}" if source.per_minute else f"{source.last_minute}"
    )
    today = f"{source.today} of {source.per_day}" if source.per_day else f"{source.today}"
    outcomes = ", ".join(f"{count} {outcome.replace('_', ' ')}" for outcome, count in source.outcomes.items())
    out = [
        f"{source.source}: {counted(source.requests, 'request')} ({outcomes or 'none yet'}); "
        f"last minute {per_minute}, today {today}"
        + (f"; closed until {source.closed_until}" if source.closed_until else "")
    ]
    out += [f"  may not be asked for {what}: {why}" for what, why in source.refusals.items()]
    return out


def _drawing(stores: Stores, now: int) -> list[str]:
    from fulltape.cli import drawing

    return drawing.coverage(stores, now)
