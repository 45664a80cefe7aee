"""`fulltape reload`: a running node reads its settings again."""

from __future__ import annotations

import typer

from fulltape.terminal.options import NodeOption, QuietOption

PANEL = "Run"
PLACE = 2


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog="Example: fulltape reload --node ~/market")(reload)


def reload(node: NodeOption = None, quiet: QuietOption = False) -> None:
    """Let the running service read its settings again: all of them are taken, or none, with the reason."""
    from fulltape import errors
    from fulltape.service import control
    from fulltape.service.control import ControlRequest
    from fulltape.settings import load

    reply = control.request(load.find(node), ControlRequest(do="reload"))
    if not reply.ok:
        raise errors.ConfigError(f"{reply.message}", hint=reply.hint)
    if not quiet:
        typer.echo(reply.message)
