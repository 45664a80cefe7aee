"""`fulltape restore-from`: a node out of a place that it was sent to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fulltape.terminal import options, wrapping
from fulltape.terminal.options import JsonOption, QuietOption, counted

if TYPE_CHECKING:
    from fulltape.sync.restore import Restored

PANEL = "Keep"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(name="restore-from", epilog="Example: fulltape restore-from s3://market/node --node market")(
        restore_from
    )


def restore_from(
    source: Annotated[str, typer.Argument(help="A place that the node was sent to.", show_default=False)],
    node: Annotated[
        Path,
        typer.Option("--node", "-n", help="The folder that becomes the node: a new one, or an empty one."),
    ] = Path(),
    without_lost: Annotated[
        bool,
        typer.Option(
            "--without-lost", help="Leave out files that are lost or damaged there; they are named."
        ),
    ] = False,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Bring a node back: settings, lake, and ledger, each file held against its digest. Do not run the old node afterwards.

    Interrupted, it goes on when it is run again.
    """
    from fulltape.remote import address
    from fulltape.sync import restore
    from fulltape.terminal.progress import Watch

    folder = node.expanduser()
    with options.interruptible(), Watch(quiet=quiet or json) as watch:
        done = restore.run(address.objects(source), source, folder, watch, without_lost=without_lost)
    unopened = _taken_up(folder, behind=bool(done.beyond))
    if json:
        options.emit_json(done)
    else:
        wrapping.say(_restored(done, folder, source, unopened))
    raise typer.Exit(0 if done.complete and not unopened else 1)


def _taken_up(folder: Path, *, behind: bool) -> str:
    """Let the ledger learn what the lake has beyond its copy; why the settings cannot be used yet, '' where they can."""
    from fulltape import errors
    from fulltape.clock import SystemClock
    from fulltape.context import ownership
    from fulltape.node import repair

    try:
        with options.opened(folder, owning=False) as context:
            try:
                ownership.check(context.ledger, context.layout)
                if behind:
                    repair.rebuild(context, SystemClock().now())
            except errors.LedgerBehindError:
                repair.rebuild(context, SystemClock().now())
    except errors.ConfigError as error:
        return str(error)
    return ""


def _restored(done: Restored, folder: Path, source: str, unopened: str) -> list[str]:
    lines = [
        f"node {done.node[:8]} as it was on {done.made_at}, from {source}, is in {folder}",
        f"{counted(done.fetched, 'file')} fetched, {done.bytes / 1e6:,.1f} MB; {done.kept:,} were there, or have the same content",
    ]
    if done.waiting:
        lines.append(f"{counted(done.waiting, 'file')} had not been sent yet")
    if done.lacking:
        lines.append(
            f"the ledger knows {counted(len(done.lacking), 'file')} that are not there: {wrapping.some(done.lacking)}"
        )
    if unopened:
        return [*lines, f"not used yet: {unopened}", "then run fulltape ledger rebuild, and fulltape nightly"]
    return [
        *lines,
        "its keys are not kept there: give it those that fulltape.toml names; then run fulltape nightly",
    ]
