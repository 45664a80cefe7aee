"""Options that several verbs share, and opening a node."""

from __future__ import annotations

import contextlib
import datetime as dt
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fulltape import errors

if TYPE_CHECKING:
    from fulltape.context import NodeContext
    from fulltape.node.filling import FilledGaps
    from fulltape.settings.load import Loaded

NodeOption = Annotated[
    Path | None,
    typer.Option(
        "--node",
        "-n",
        help="The node's folder (default: FULLTAPE_NODE, else this folder).",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]


def load(node: Path | None, *, asking: bool = True) -> Loaded:
    """The settings of the chosen node; who asks no vendor needs no secrets."""
    from fulltape.settings import load as loading

    return loading.load(loading.find(node), asking=asking)


@contextlib.contextmanager
def opened(node: Path | None, *, asking: bool = False, owning: bool = True) -> Iterator[NodeContext]:
    """The context of the chosen node, with vendors' secrets only for who asks them; SIGTERM ends the command like Ctrl-C. Only
    who mends the ledger opens them without `owning` the lake."""
    from fulltape.node import assemble

    context = assemble.open_context(load(node, asking=asking), asking=asking, owning=owning)
    with interruptible():
        try:
            yield context
        finally:
            context.close()


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM ends the block like Ctrl-C, and it is said that nothing is lost."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("interrupted; what was fetched is kept, and the next run goes on from there.", err=True)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def fail_for_vendors(filled: FilledGaps) -> None:
    """Raise if a vendor refused our credentials or could not be reached: exit code 3."""
    if filled.stopped:
        words = "; ".join(f"{source} refused the credentials ({reason})" for source, reason in filled.stopped)
        raise errors.CredentialsRefusedError(
            f"{words}.",
            hint="Mend what [vendor.NAME] says in fulltape.toml, then `fulltape vendors check NAME`.",
        )
    if filled.unreachable:
        words = "; ".join(f"{source} cannot be reached ({reason})" for source, reason in filled.unreachable)
        raise errors.VendorError(f"{words}.", hint="Check the network; the next run tries again.")


def session(text: str) -> dt.date:
    """A session from the command line."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise errors.UsageError(f"{text!r} is no session.", hint="Sessions are dates: YYYY-MM-DD.") from None


def emit_json(value: object) -> None:
    """Print a value as JSON (see `terminal/printed.py`)."""
    from fulltape.terminal import printed

    typer.echo(printed.text(value))


def number(value: Any) -> str:
    """12,345"""
    return f"{value:,}"


def counted(count: int, noun: str) -> str:
    """1 task, 2 tasks, 2 fetches"""
    plural = f"{noun}es" if noun.endswith(("ch", "sh", "x")) else f"{noun}s"
    return f"{count:,} {noun if count == 1 else plural}"
