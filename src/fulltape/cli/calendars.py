"""`fulltape calendars`: session tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fulltape.terminal.options import NodeOption

app = typer.Typer(
    no_args_is_help=True, help="Rebuild session tables.", epilog="Example: fulltape calendars refresh XNYS"
)
PANEL = "Begin"


def register(root: typer.Typer) -> None:
    """Add the verbs."""
    root.add_typer(app, name="calendars")


@app.callback()
def _root() -> None:
    pass


@app.command(epilog="Example: fulltape calendars refresh XNYS")
def refresh(
    name: Annotated[str, typer.Argument(help="The calendar, such as XNYS.")],
    folder: Annotated[
        Path | None,
        typer.Option(help="Where to write the table (default: the node's `calendars/`).", show_default=False),
    ] = None,
    node: NodeOption = None,
) -> None:
    """Rebuild a session table with exchange_calendars in a child process (needs the extra 'calendars').

    A dataset then uses it by its setting `calendar`. Tables of the node come before those of the package.
    """
    from fulltape.calendars import refresh as rebuilding
    from fulltape.context import CALENDARS
    from fulltape.settings.load import find

    folder = folder or find(node) / CALENDARS
    typer.echo(f"wrote {rebuilding.run(name, folder)}")
