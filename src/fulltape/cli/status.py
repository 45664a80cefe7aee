"""`fulltape status`: the node at a glance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from fulltape.terminal import options
from fulltape.terminal.options import JsonOption, NodeOption, number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fulltape.clock import SystemClock
    from fulltape.context import NodeContext
    from fulltape.lake.disk import Room
    from fulltape.ledger.database import Row
    from fulltape.service.shown import ServiceState


PANEL = "Look"


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
    from fulltape.clock import SystemClock
    from fulltape.context import room
    from fulltape.service import shown
    from fulltape.terminal import summary
    from fulltape.views import state

    with options.opened(node) as context:
        now = (clock := SystemClock(context.ledger.boots.anchor)).now()
        export = context.ledger.newest_export()
        bundle = str(context.layout.root / export["path"]) if export else ""
        drawing = _drawing(context, now) if picture else []
        titles = {name: wanted.title for name, wanted in context.wanted.items()}
        future = [*state.horizons(context, now), *state.not_begun(context, now)]
        capture = state.captured(context, now)
        disk = room.forecast(context, now)
        service = shown.read(context.folder)
        ran, service = service is not None, service if shown.alive(service, now) else None
        report = _report(context, clock, disk, service, export and {**export, "path": bundle})
    if json:
        options.emit_json(report)
        return

    def lines(*, verbose: bool) -> list[str]:
        most = (_ALL,) * 3 if verbose else (summary.DATASETS, summary.SOURCES, summary.REJECTIONS)
        return [
            *summary.datasets(report["cells"], report["verdicts"], titles, most[0]),
            *(future if verbose else future[: summary.FUTURE]),
            _tasks(report["tasks"]),
            *_service(service, ran=ran),
            *([capture] if capture else []),
            f"disk: {disk.sentence}",
            *summary.damages(report["damaged"], verbose=verbose),
            *summary.sources(report["sources"], most[1], verbose=verbose),
            *summary.rejections(report["rejected"], most[2]),
            f"newest bundle: {bundle or 'none'}",
        ]

    _say(drawing, lines(verbose=verbose), lines(verbose=True))


def _say(drawing: Sequence[str], shown: Sequence[str], everything: Sequence[str]) -> None:
    from fulltape.terminal import wrapping

    if drawing:
        typer.echo("\n".join(drawing))
    wrapping.say(shown)
    if shown != everything:
        typer.echo(f"… in full: fulltape status --verbose ({number(len(everything))} lines)")


_ALL = 10**9


def _tasks(counts: Sequence[Row]) -> str:
    by_kind: dict[str, int] = {}
    for row in counts:
        kind = f"{row['state']} {row['kind']}"
        by_kind[kind] = by_kind.get(kind, 0) + row["tasks"]
    return "tasks: " + (", ".join(f"{number(count)} {kind}" for kind, count in by_kind.items()) or "none")


def _report(
    context: NodeContext,
    clock: SystemClock,
    disk: Room,
    service: ServiceState | None,
    export: Row | None,
) -> dict[str, Any]:
    """For programs, and what the lines are made of."""
    from fulltape.views import state

    needs = service.conditions if service else ()
    return {
        "cells": state.cells(context, clock.now()),
        "verdicts": state.verdicts(context, clock.now()),
        "sources": state.sources(context, clock),
        "tasks": context.ledger.tasks.counts(),
        "rejected": context.ledger.rejections(),
        "damaged": context.ledger.damages.all(),
        "disk": disk.fields(),
        "service": {
            "running": service is not None,
            "needs_you": [f"{condition.title}. {condition.text}" for condition in needs],
        },
        "export": export,
    }


def _service(state: ServiceState | None, *, ran: bool) -> list[str]:
    """What runs by itself, and what needs a person; nothing on a node that has never had a service."""
    if state is None:
        return ["service: does not run (fulltape run)"] if ran else []
    names = ", ".join(run.entry for run in state.running) or "nothing is due"
    needs = [f"needs you: {condition.title}. {condition.text}" for condition in state.conditions]
    return [f"service: runs, now {names} (fulltape schedule)", *needs]


def _drawing(context: NodeContext, now: int) -> list[str]:
    from fulltape.terminal import drawing

    return drawing.coverage(context, now)
