"""`fulltape support`: what a report of a defect needs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fulltape.terminal.options import NodeOption

PANEL = "Keep"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog="Example: fulltape support --node ~/market")(support)


def support(
    out: Annotated[Path, typer.Option("--out", "-o", help="The archive.")] = Path("fulltape-support.tar.gz"),
    node: NodeOption = None,
) -> None:
    """Pack what a report of a defect needs: settings without secrets, versions, the newest runs, counts, and what the doctor says. No data."""
    from fulltape.clock import SystemClock
    from fulltape.doctor import support as packing
    from fulltape.settings import load

    names = packing.write(load.find(node), out, SystemClock())
    typer.echo(f"{out}: {', '.join(names)}")
    typer.echo(
        "Secrets are taken out, rows are not in it; symbols and paths of this machine are. Look through it before you send it."
    )
