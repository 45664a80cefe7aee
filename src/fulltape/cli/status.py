"""`fulltape status`: the node at a glance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fulltape.cli import options
from fulltape.cli.options import JsonOption, NodeOption, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fulltape.ledger.database import Row
    from fulltape.stores import Stores


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog="Example: fulltape status --picture")(status)


def status(
    picture: Annotated[
        bool, typer.Option("--picture", help="Draw coverage: symbols by months and sessions.")
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose",
            help="Everything. Without it at most 25 lines, what needs a look before what is well.",
        ),
    ] = False,
    node: NodeOption = None,
    json: JsonOption = False,
) -> None:
    """Show coverage and verdicts, tasks, capture, sources with their budgets, rejected pages and the newest bundle."""
    from fulltape.cli import summary
    from fulltape.clock import SystemClock
    from fulltape.node import state
    from fulltape.stores import room

    with options.opened(node) as stores:
        now = (clock := SystemClock(stores.ledger.budgets.anchor)).now()
        cells = state.cells(stores, now)
        verdicts = state.verdicts(stores)
        sources = state.sources(stores, clock)
        counts = stores.ledger.queue.counts()
        rejections = stores.ledger.rejections()
        export = stores.ledger.newest_export()
        bundle = str(stores.layout.root / export["path"]) if export else ""
        drawing = _drawing(stores, now) if picture else []
        titles = {name: wanted.title for name, wanted in stores.wanted.items()}
        future = [*state.horizons(stores, now), *state.not_begun(stores, now)]
        capture = state.captured(stores, now)
        damages = stores.ledger.damages.all()
        disk = room.forecast(stores, now)
    if json:
        options.emit_json(
            {
                "cells": cells,
                "verdicts": verdicts,
                "sources": sources,
                "tasks": counts,
                "rejected": rejections,
                "damaged": damages,
                "disk": {
                    "free": disk.free,
                    "total": disk.total,
                    "wanted": disk.wanted,
                    "tier": disk.tier,
                    "days_left": disk.days_left,
                },
                "export": {**export, "path": bundle} if export else None,
            }
        )
        return

    def lines(*, verbose: bool) -> list[str]:
        return [
            *summary.datasets(cells, verdicts, titles, _ALL if verbose else summary.DATASETS),
            *(future if verbose else future[: summary.FUTURE]),
            _tasks(counts),
            *([capture] if capture else []),
            f"disk: {disk.sentence}",
            *summary.damages(damages, verbose=verbose),
            *summary.sources(sources, _ALL if verbose else summary.SOURCES, verbose=verbose),
            *summary.rejections(rejections, _ALL if verbose else summary.REJECTIONS),
            f"newest bundle: {bundle or 'none'}",
        ]

    _say(drawing, lines(verbose=verbose), lines(verbose=True))


def _say(drawing: Sequence[str], told: Sequence[str], everything: Sequence[str]) -> None:
    from fulltape.cli import wrapping

    if drawing:
        typer.echo("\n".join(drawing))
    wrapping.say(told)
    if told != everything:
        typer.echo(f"… in full: fulltape status --verbose ({number(len(everything))} lines)")


_ALL = 10**9


def _tasks(counts: Sequence[Row]) -> str:
    by_kind: dict[str, int] = {}
    for row in counts:
        kind = f"{row['state']} {row['kind']}"
        by_kind[kind] = by_kind.get(kind, 0) + row["tasks"]
    return "tasks: " + (", ".join(f"{number(count)} {kind}" for kind, count in by_kind.items()) or "none")


def _drawing(stores: Stores, now: int) -> list[str]:
    from fulltape.cli import drawing

    return drawing.coverage(stores, now)
