"""`fulltape pull`: bundles on the machine that trains."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from fulltape import errors
from fulltape.terminal import options, wrapping
from fulltape.terminal.options import JsonOption, QuietOption, counted

PANEL = "Run"
PLACE = 5


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog="Example: fulltape pull http://node:8470 --to ~/bundles --keep 7")(pull)


def pull(
    source: Annotated[
        str,
        typer.Argument(
            help="A node's pages (http://node:8470), s3://bucket/prefix, user@host:/path/of/node, or a folder.",
            show_default=False,
        ),
    ],
    to: Annotated[Path, typer.Option(help="Where bundles are kept.")] = Path("bundles"),
    day: Annotated[
        str, typer.Option(help="The bundle of this day; else the newest.", show_default=False)
    ] = "",
    keep: Annotated[int, typer.Option(min=1, max=10_000, help="How many bundles stay.")] = 7,
    token_file: Annotated[
        Path | None,
        typer.Option(help="A file with the token of the pages; else FULLTAPE_TOKEN.", show_default=False),
    ] = None,
    signers: Annotated[
        Path | None,
        typer.Option(
            help="Take only a bundle that one of these has signed (a file of ssh-keygen's allowed signers).",
            show_default=False,
        ),
    ] = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Fetch the newest bundle: only files that are not there yet, each held against its digest; `latest` names it once it is whole. For cron."""
    from fulltape.bundle import sources
    from fulltape.bundle.listing import LATEST
    from fulltape.pull import run

    with options.interruptible():
        done = run.run(
            sources.of(source, _token(token_file)),
            to.expanduser(),
            day=day,
            keep=keep,
            signers=signers and signers.expanduser(),
        )
    if json:
        options.emit_json(done)
    elif not quiet:
        newest = (to.expanduser() / LATEST).resolve().name == done.day
        named = f", named by {to / LATEST}" if newest else f"; {to / LATEST} names a newer one"
        mended = f", {counted(done.mended, 'damaged copy')} mended" if done.mended else ""
        wrapping.say(
            [
                f"bundle   {done.path}{named}",
                f"fetched  {counted(done.fetched, 'file')}, {done.bytes / 1e6:,.1f} MB; {done.kept:,} were there and are whole{mended}",
                *([f"signed   by {done.signer}"] if done.signer else []),
                *([f"removed  {', '.join(done.removed)}"] if done.removed else []),
            ]
        )


def _token(path: Path | None) -> str:
    if path is None:
        return os.environ.get("FULLTAPE_TOKEN", "")
    try:
        return path.expanduser().read_text().strip()
    except OSError as error:
        raise errors.UsageError(f"{path} cannot be read: {error.strerror}.") from None
