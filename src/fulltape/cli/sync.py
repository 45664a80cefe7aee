"""`fulltape sync`: the node's files at places of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fulltape.terminal import options, wrapping
from fulltape.terminal.options import JsonOption, NodeOption, QuietOption, counted

if TYPE_CHECKING:
    from fulltape.sync.plan import SyncedPlace

PANEL = "Keep"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog="Example: fulltape sync /mnt/nas/market --dry-run")(sync)


def sync(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TARGET",
            help="s3://bucket/prefix, user@host:/path, or a folder that is there; without one, the targets of the settings under sync.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be sent.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Read everything back once more, and send again what is damaged.")
    ] = False,
    anew: Annotated[
        bool,
        typer.Option(
            "--anew",
            help="For a place that has lost its index, or everything: read back what is there, and send the rest.",
        ),
    ] = False,
    node: NodeOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Send the node's files to other places: parts, closed journals, bundles, settings, a copy of the ledger.

    Each is read back and held against its digest before it counts as sent. What is there already is not sent again.
    """
    from fulltape import errors
    from fulltape.clock import SystemClock
    from fulltape.sync import run
    from fulltape.sync.run import SyncOptions
    from fulltape.terminal.progress import Watch

    chosen = SyncOptions(targets=tuple(targets or ()), dry_run=dry_run, anew=anew, verify=verify, fresh=True)
    with options.opened(node) as context, Watch(quiet=quiet or json) as watch:
        report = run.run_once(context, SystemClock(), watch, options=chosen)
    if report is None:
        raise errors.UsageError(
            "there is no place to send to.", hint="Name one, or add it to [sync] targets in fulltape.toml."
        )
    if json:
        options.emit_json(report)
    else:
        for place in report.places:
            wrapping.say(_place(place, dry_run=dry_run))
        for target, reason in report.failed.items():
            wrapping.say([f"{target}", f"  not sent: {reason}"])
    if report.failed:
        raise typer.Exit(errors.StorageError.exit_code)
    raise typer.Exit(0 if report.complete else 1)


def _place(place: SyncedPlace, *, dry_run: bool) -> list[str]:
    verb = "would be sent" if dry_run else "sent and read back"
    removed = f"; {counted(place.removed, 'outdated object')} removed there" if place.removed else ""
    lines = [
        place.target,
        f"  {counted(place.sent, 'file')} {verb}, {place.bytes / 1e6:,.1f} MB; {place.kept:,} were there{removed}",
    ]
    for words, paths in (
        ("lost there, and not here either", () if dry_run else place.lost),
        ("lost there", place.lost if dry_run else ()),
        ("damaged here, not sent; fulltape verify --repair mends it", place.damaged),
        ("missing here; fulltape verify --repair makes it again", place.missing),
        ("changed while it was sent; the next run sends it", place.changed),
        ("left out", place.left_out),
    ):
        if paths:
            lines.append(f"  {words}: {wrapping.some(paths)}")
    return lines
