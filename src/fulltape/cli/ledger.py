"""`fulltape ledger`: back the ledger up, and bring it back."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated

import typer

from fulltape.cli import options
from fulltape.cli.options import NodeOption

app = typer.Typer(
    no_args_is_help=True,
    help="Back the ledger up, and bring it back; also from one engine to another.",
    epilog="Example: fulltape ledger backup copy.db",
)


@app.command(epilog="Example: fulltape ledger backup before-the-move.db")
def backup(
    path: Annotated[Path, typer.Argument(help="The file to write.", show_default=False)],
    node: NodeOption = None,
) -> None:
    """Write the ledger as it is now into one SQLite file. A nightly run does so once a day into backups/, and keeps 7."""
    from fulltape import errors

    if path.exists():
        raise errors.UsageError(f"{path} is there already.", hint="Name another file, or remove it first.")
    with options.opened(node) as stores:
        stores.ledger.back_up(path)
    typer.echo(f"written: {path} ({path.stat().st_size / 1e6:,.1f} MB)")


@app.command(epilog="Example: fulltape ledger restore backups/ledger-2026-11-22.db --yes")
def restore(
    path: Annotated[Path, typer.Argument(help="A backup.", show_default=False)],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    node: NodeOption = None,
) -> None:
    """Replace the ledger by a backup; what it replaces is kept in backups/ too.

    What was fetched since is not known any more, and is fetched again.
    """
    from fulltape.clock import SystemClock
    from fulltape.core.time import iso
    from fulltape.node.nightly import BACKUPS

    if not yes:
        typer.confirm(f"Replace everything this node's ledger knows by {path}?", abort=True)
    with options.opened(node) as stores, contextlib.ExitStack() as held:
        for stage in ("seal", "audit", "backfill"):  # nobody works on what is being replaced
            held.enter_context(stores.ledger.database.hold(stage))
        moment = iso(SystemClock().now())[:19].replace(":", "")
        replaced = stores.folder / BACKUPS / f"before-restore-{moment}.db"
        stores.ledger.back_up(replaced)
        stores.ledger.restore(path)
    typer.echo(f"restored from {path}; what it replaced is in {replaced}")
    typer.echo("fulltape audit shows what is missing now")
