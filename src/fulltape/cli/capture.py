"""`fulltape capture`: live streams into the journal, until it is stopped."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from fulltape import clock
from fulltape.terminal import options
from fulltape.terminal.options import NodeOption, QuietOption, counted, number

if TYPE_CHECKING:
    from fulltape.capture.config import CaptureConfig
    from fulltape.lake.capture_state import CaptureState
    from fulltape.lake.layout import Layout

_TOLD_EVERY = 10.0
_PATIENCE = 600.0
"""Seconds in which what was captured is sealed at the end; it takes a moment, and longer only with very much."""


PANEL = "Run"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog="Example: fulltape capture --node ~/market")(capture)


def capture(
    seal: Annotated[
        bool,
        typer.Option(
            "--seal/--no-seal",
            help="Seal every closed journal in a process beside, and ask history for what may be missing.",
        ),
    ] = True,
    seconds: Annotated[
        float, typer.Option("--for", help="Stop after so many seconds (default: never).", min=0)
    ] = 0,
    node: NodeOption = None,
    quiet: QuietOption = False,
) -> None:
    """Capture the live streams of all datasets that have some, until Ctrl-C or SIGTERM; everything received is kept."""
    from fulltape.lake import capture_state as state_file
    from fulltape.lake import files
    from fulltape.node import capturing

    loaded = options.load(node)
    with options.opened(node, asking=True) as context:
        capture_config = capturing.configuration(loaded, context)
        layout = context.layout
        path = layout.capture_state(capture_config.writer)
    with files.alone(
        layout.capture_lock(capture_config.writer),
        f"live capture of {loaded.folder}, by `fulltape run` or another `fulltape capture`,",
    ):
        status = _run(capture_config, layout, Path(loaded.folder), seal=seal, seconds=seconds, quiet=quiet)
    state = state_file.read(path)
    if state and not quiet:
        for line in lines(state):
            typer.echo(line)
    if status or (state and any(source.trouble for source in state.sources)):
        raise typer.Exit(4)
    if state and all(
        source.state == "barred" or (source.reason and not source.messages) for source in state.sources
    ):
        raise typer.Exit(3)


def _run(
    capture_config: CaptureConfig, layout: Layout, folder: Path, *, seal: bool, seconds: float, quiet: bool
) -> int:
    """Keep the process running until it is asked to end; its exit status."""
    from fulltape.node import capture_process, capturing, supervising

    path = layout.capture_state(capture_config.writer)
    stop = threading.Event()

    def asked(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, asked) for number in (signal.SIGTERM, signal.SIGINT)}
    capturer = capture_process.CaptureProcess(capture_config, lambda words: typer.echo(words, err=True), path)
    sealing = (
        [capturing.Sealer(layout, folder, {feed.source for feed in capture_config.feeds})] if seal else []
    )
    now = clock.steady_seconds()
    said = [now]

    def tell() -> None:
        if not quiet and clock.steady_seconds() - said[0] >= _TOLD_EVERY:
            said[0] = clock.steady_seconds()
            _tell(path, capturer.id)

    try:
        left = supervising.supervise(
            [capturer, *sealing],
            stop,
            until=now + seconds if seconds else float("inf"),
            each=tell,
            patience=_PATIENCE,
        )
    finally:
        for which, handler in before.items():
            signal.signal(which, handler)
    if left and not quiet:
        typer.echo(f"{' and '.join(left)} goes on in the background until it is done", err=True)
    return capturer.status


def _tell(path: Path, process: int) -> None:
    """How everything is, once the process has said so."""
    from fulltape.lake import capture_state as state_file

    state = state_file.read(path)
    if state and state.process == process:
        for line in lines(state):
            typer.echo(line)


def lines(state: CaptureState) -> list[str]:
    """One line a source."""
    out = []
    for source in state.sources:
        live = sum(1 for channel in source.channels if channel.live)
        words = f"{source.source}: {source.state}, {live} of {len(source.channels)} channels live, "
        words += f"{number(source.messages)} messages, {number(source.durable)} durable"
        if source.reconnects:
            words += f", {counted(source.reconnects, 'reconnect')}"
        if source.dropped:
            words += f", {number(source.dropped)} dropped (the disk is too slow)"
        if source.trouble:
            words += f"; {source.trouble}"
        elif source.reason and source.state != "live":
            words += f"; {source.reason}"
        out.append(words)
    return out
