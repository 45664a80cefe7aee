"""`fulltape ledger`: back the ledger up, and bring it back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fulltape.terminal import options, wrapping
from fulltape.terminal.options import NodeOption, counted

if TYPE_CHECKING:
    from fulltape.node.repair import Rebuilt

app = typer.Typer(
    no_args_is_help=True,
    help="Back the ledger up, and bring it back; also from one engine to another.",
    epilog="Example: fulltape ledger backup copy.db",
)
PANEL = "Keep"


def register(root: typer.Typer) -> None:
    """Add the verbs."""
    root.add_typer(app, name="ledger")


@app.command(epilog="Example: fulltape ledger backup before-the-move.db")
def backup(
    path: Annotated[Path, typer.Argument(help="The file to write.", show_default=False)],
    node: NodeOption = None,
) -> None:
    """Write the ledger as it is now into one SQLite file. A nightly run does so once a day into backups/, and keeps 7."""
    from fulltape import errors

    if path.exists():
        raise errors.UsageError(f"{path} is there already.", hint="Name another file, or remove it first.")
    with options.opened(node) as context:
        context.ledger.back_up(path)
    typer.echo(f"written: {path} ({path.stat().st_size / 1e6:,.1f} MB)")


@app.command(epilog="Example: fulltape ledger restore backups/ledger-2026-11-22.db --yes")
def restore(
    path: Annotated[Path, typer.Argument(help="A backup.", show_default=False)],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    node: NodeOption = None,
) -> None:
    """Replace the ledger by a backup; what it replaces is kept in backups/ too.

    What the lake has beyond it is taken up again: parts, journals, bundles.
    """
    from fulltape.clock import SystemClock
    from fulltape.context import BACKUPS, ownership
    from fulltape.market.time import iso
    from fulltape.node import repair
    from fulltape.terminal.progress import Watch

    if not yes:
        typer.confirm(f"Replace everything this node's ledger knows by {path}?", abort=True)
    clock = SystemClock()
    moment = iso(clock.now())[:19].replace(":", "")
    loaded = options.load(node, asking=False)
    apart = repair.set_corrupt_apart(loaded, moment)
    with options.opened(node, owning=False) as context, Watch(quiet=False) as watch:
        ownership.refuse_copy(path, context.layout)
        replaced = context.folder / BACKUPS / f"before-restore-{moment}.db"
        done = repair.restore(context, path, replaced, clock.now(), watch)
    typer.echo(f"restored from {path}; what it replaced is in {apart or replaced}")
    wrapping.say(_taken(done))


@app.command(epilog="Example: fulltape ledger rebuild")
def rebuild(node: NodeOption = None) -> None:
    """Let a ledger that is new, or older than the lake, learn what the lake holds: parts, journals, bundles, and what was
    written of the ledger into it every night.

    What is known of vendors' budgets and of open tasks is lost; the next audit asks for what is missing.
    """
    from fulltape.clock import SystemClock
    from fulltape.node import repair
    from fulltape.terminal.progress import Watch

    with options.opened(node, owning=False) as context, Watch(quiet=False) as watch:
        done = repair.rebuild(context, SystemClock().now(), watch)
    wrapping.say(_taken(done))


def _taken(done: Rebuilt) -> list[str]:
    from fulltape.market.time import to_second

    taken = done.taken
    out = [f"{counted(taken.parts, 'part')} and {counted(taken.journals, 'sealed journal')} taken up"]
    if done.knowledge_at is not None:
        knowledge = f"emptiness, refusals, proofs and decisions are those of {to_second(done.knowledge_at)}"
        out.append(knowledge)
    out += [f"left as it is: {name}: {why}" for name, why in taken.left]
    return [
        *out,
        "run fulltape nightly: it seals, curates and checks what was taken up, and asks for what is missing",
    ]
