"""`fulltape doctor`: whether the node and its machine are fit."""

from __future__ import annotations

from typing import Annotated

import typer

from fulltape.terminal import options
from fulltape.terminal.options import JsonOption, NodeOption, counted

PANEL = "Look"
PLACE = 2
_MARKS = {"ok": "ok  ", "warning": "look", "failure": "BAD "}
_COLOURS = {"ok": None, "warning": "yellow", "failure": "red"}


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog="Example: fulltape doctor --node ~/market")(doctor)


def doctor(
    asking: Annotated[
        bool, typer.Option("--ask", help="Also ask every vendor, with your keys: a few small requests each.")
    ] = False,
    node: NodeOption = None,
    json: JsonOption = False,
) -> None:
    """Look at clock, disk, memory, rights, settings, keys, ledger, files, copies, calendars and service, and say what to do."""
    import dataclasses

    from fulltape.doctor import node as looking
    from fulltape.settings import load

    seen = []
    for entry in looking.look(load.find(node), asking=asking):
        seen.append(entry)
        if not json:
            typer.secho(f"{_MARKS[entry.state]} {entry.name:<10} {entry.text}", fg=_COLOURS[entry.state])
            if entry.cure:
                typer.echo(f"     {'':<10} {entry.cure}")
    failures = sum(entry.state == "failure" for entry in seen)
    warnings = sum(entry.state == "warning" for entry in seen)
    if json:
        options.emit_json({"fit": not failures, "checks": [dataclasses.asdict(entry) for entry in seen]})
    else:
        typer.echo(f"\n{counted(failures, 'failure')}, {counted(warnings, 'warning')}")
    if failures:
        raise typer.Exit(1)
