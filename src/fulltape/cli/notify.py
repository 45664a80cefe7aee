"""`fulltape notify`: whether a person would be reached."""

from __future__ import annotations

import typer

from fulltape.terminal.options import NodeOption, QuietOption

PANEL = "Run"
PLACE = 3
app = typer.Typer(
    no_args_is_help=True,
    help="Reach a person through webhook and apprise.",
    epilog="Example: fulltape notify test",
)


def register(root: typer.Typer) -> None:
    """Add the verbs."""
    root.add_typer(app, name="notify")


@app.callback()
def _notify() -> None:
    """Keep `test` a verb of its own."""


@app.command("test", epilog="Example: fulltape notify test")
def send_test(node: NodeOption = None, quiet: QuietOption = False) -> None:
    """Let the running service send a test message, and the sign of life, now."""
    from fulltape import errors
    from fulltape.service import control
    from fulltape.service.control import ControlRequest
    from fulltape.settings import load

    reply = control.request(load.find(node), ControlRequest(do="test_message"))
    if not reply.ok:
        raise errors.TransportError(reply.message, hint=reply.hint)
    if not quiet:
        typer.echo(reply.message)
