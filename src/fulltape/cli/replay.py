"""`fulltape replay`: what was captured, played to clients as the vendor would."""

from __future__ import annotations

import datetime as dt
import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fulltape.terminal import options, wrapping
from fulltape.terminal.options import JsonOption, NodeOption, QuietOption, counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fulltape.replay.plan import RecordedGap
    from fulltape.replay.run import Replayed, ReplayObserver
    from fulltape.replay.server import ReplayServer

PANEL = "Run"
PLACE = 6


class GapsOption(enum.StrEnum):
    """What a lost connection of the recording becomes."""

    CUT = "cut"
    LOG = "log"


class BeginOption(enum.StrEnum):
    """When the first message is played."""

    SUBSCRIBED = "subscribed"
    NOW = "now"


SourcesArgument = Annotated[
    list[str] | None,
    typer.Argument(help="Sources, as VENDOR.FEED (default: all that were captured).", show_default=False),
]
FromOption = Annotated[
    str,
    typer.Option("--from", help="A day of UTC (YYYY-MM-DD), or a moment with its zone.", show_default=False),
]
ToOption = Annotated[
    str, typer.Option("--to", help="The same, inclusive; a day with all of it.", show_default=False)
]
SpeedOption = Annotated[float, typer.Option(min=0.001, max=100_000, help="So many times as fast as it came.")]
StepOption = Annotated[
    bool, typer.Option("--step", help="Wait for Enter before each message; a number and Enter plays so many.")
]
GapsChoice = Annotated[
    GapsOption, typer.Option(help="A connection that was lost: cut the clients' too, or only tell.")
]
StartChoice = Annotated[
    BeginOption, typer.Option("--start", help="Begin when every source has a subscriber, or now.")
]
PortOption = Annotated[
    int, typer.Option(min=0, max=65_000, help="Port of the first source; the others follow. 0: any.")
]
WriterOption = Annotated[
    str, typer.Option(help="Whose recording, where several nodes captured a source.", show_default=False)
]
JournalsOption = Annotated[
    Path | None,
    typer.Option(help="A folder of journals instead of a node: SOURCE/FILE in it.", show_default=False),
]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog="Example: fulltape replay --from 2026-11-24T14:30Z --to 2026-11-24 --speed 10")(replay)


def replay(
    sources: SourcesArgument = None,
    begin: FromOption = "",
    end: ToOption = "",
    speed: SpeedOption = 1.0,
    step: StepOption = False,
    gaps: GapsChoice = GapsOption.CUT,
    start: StartChoice = BeginOption.SUBSCRIBED,
    port: PortOption = 0,
    writer: WriterOption = "",
    journals: JournalsOption = None,
    node: NodeOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Play captured messages as the vendor's own websocket server, on loopback: the same bytes, in the order and at the pace in which they came. A client of the vendor
    runs on it by its address alone."""
    import asyncio
    import signal

    from fulltape.replay import plan, run

    first, last = plan.window(begin, end)
    settings = run.ReplaySettings(
        root=journals.expanduser() if journals else _journals(node),
        sources=tuple(sources or ()),
        writer=writer,
        first=first,
        last=last,
        speed=speed,
        port=port,
        begin=start.value,
        gaps=gaps.value,
        step=_asked if step else None,
    )
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        done = asyncio.run(run.play(settings, _observer(quiet=quiet, json=json)))
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    if json:
        options.emit_json(done)
    elif not quiet:
        wrapping.say(_summary(done, stepped=step))


def _journals(node: Path | None) -> Path:
    """Where the journals of a node lie."""
    from fulltape.lake.layout import Layout
    from fulltape.settings import load

    loaded = load.load(load.find(node), asking=False)
    return Layout(root=loaded.folder / loaded.values.node.lake).journals


def _asked() -> int:
    """How many messages come next; 0 at the end of what is said."""
    while True:
        try:
            said = input().strip()
        except (EOFError, RuntimeError):  # nothing more is said, or nothing can be
            return 0
        if not said:
            return 1
        if said.isdecimal() and int(said):
            return int(said)
        typer.echo(f"{said!r} is no number of messages: press Enter for one, or write a number.", err=True)


def _observer(*, quiet: bool, json: bool) -> ReplayObserver:
    from fulltape.replay.run import ReplayObserver

    def say(line: str) -> None:
        if not quiet:
            typer.echo(line, err=json)  # what programs read is the end alone

    class Telling(ReplayObserver):
        def listening(self, servers: Sequence[ReplayServer]) -> None:
            for server in servers:
                symbols = server.symbols
                named = ", ".join(symbols[:6]) + (f" and {len(symbols) - 6} more" if len(symbols) > 6 else "")
                say(f"{server.source}  {server.url}  {named}")
            say("Any key is accepted. Ctrl-C ends.")

        def left_out(self, source: str, why: str) -> None:
            say(f"{source}  is not played: {why}")

        def waiting(self, sources: Sequence[str]) -> None:
            say(
                f"waiting for a subscription to a recorded symbol of {', '.join(sources)}; --start now does not wait"
            )

        def began(self, at: int) -> None:
            say(f"{_clock(at)}  the recording begins")

        def gap(self, source: str, gap: RecordedGap) -> None:
            say(f"{_clock(gap.at)}  {source}  {', '.join(gap.symbols)}: {gap.why}")

    return Telling()


def _clock(at: int) -> str:
    return f"{dt.datetime.fromtimestamp(at // 1_000 / 1e6, dt.UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3] + "Z"


def _summary(done: Replayed, *, stepped: bool) -> list[str]:
    if not done.messages:
        return ["played  no message"]
    lines = [
        f"played  {counted(done.messages, 'message')} of {_clock(done.first * 1_000)} to {_clock(done.last * 1_000)}, {counted(done.gaps, 'gap')}",
        f"sent    {done.sent:,} to clients, as far as they had subscribed",
    ]
    if done.unreadable:
        lines.append(
            f"passed over  {counted(done.unreadable, 'message')} that the vendor's clients do not understand"
        )
    late = f"late    {done.late_p50:.1f} ms at the median, {done.late_p99:.1f} ms at most for 99 %, {done.late_most:.1f} ms the latest"
    return lines if stepped else [*lines, late]
