"""`fulltape run`: the node as a service."""

from __future__ import annotations

import os
import sys

import typer

from fulltape import log
from fulltape.terminal.options import NodeOption

PANEL = "Run"
PLACE = -1


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog="Example: fulltape run --node ~/market")(run)


def run(node: NodeOption = None) -> None:
    """Run the node until Ctrl-C or SIGTERM: capture, and everything that its schedule says.

    A second Ctrl-C ends it at once; nothing that was acknowledged is lost. SIGHUP or `fulltape reload` reads the settings again.
    """
    from fulltape.settings import load

    folder = load.find(node).resolve()
    # The process becomes the supervisor, which stays small: this one has read what it needs to understand a command.
    environment = {**os.environ, "FULLTAPE_LOG": "json" if log.chosen() else "text"}
    os.execve(  # noqa: S606 — no shell is wanted
        sys.executable, [sys.executable, "-m", "fulltape.service", str(folder)], environment
    )
