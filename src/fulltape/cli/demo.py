"""`fulltape demo`: the whole of it in a minute, without an account."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from fulltape.context import NodeContext


_SCANNED = "equities_bars_day"


PANEL = "Begin"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog="Example: fulltape demo --keep")(demo)


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the node, to look around in it.")] = False,
    folder: Annotated[
        Path | None,
        typer.Option(
            help="Where the node shall live and stay (default with --keep: fulltape-demo).",
            show_default=False,
        ),
    ] = None,
) -> None:
    """A night of work on real data: two simulated vendors, faults, a kill -9, a restart, and the proof."""
    from fulltape import errors
    from fulltape.demo import story

    temporary = None if keep or folder else Path(tempfile.mkdtemp(prefix="fulltape-"))
    place = temporary / "node" if temporary else folder or Path("fulltape-demo")
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise errors.UsageError(f"{place} cannot be a folder: {error.strerror}.") from None
    try:
        ending = story.tell(place, typer.echo, _draw, _report)
    finally:
        # Only what this call has made is removed, never a folder that the user named.
        if temporary:
            shutil.rmtree(temporary, ignore_errors=True)
    typer.echo(f"\n{ending.seconds:.0f} s, the largest process {ending.largest_mb:.0f} MB.")
    if not ending.proved:
        raise typer.Exit(1)
    typer.echo("\nWhat to try next:")
    if temporary:
        typer.echo(f"  {_called_as()[0]} demo --keep      leaves the node, to look around in it")
        return
    for line in _next(place):
        typer.echo(f"  {line}")


def _draw(context: NodeContext) -> list[str]:
    from fulltape.clock import SystemClock
    from fulltape.terminal import drawing

    return drawing.coverage(context, SystemClock().now())


def _report(context: NodeContext) -> list[str]:
    """Who fetched what, requests against budgets, refusals, verdicts, the bundle."""
    from fulltape.clock import SystemClock
    from fulltape.terminal import summary
    from fulltape.terminal.options import counted
    from fulltape.views import state

    out = [
        "",
        "Who fetched what (a gap is asked with one session more on either side, so a few cells come twice):",
    ]
    for (name, dataset), (rows, parts) in state.fetched(context).items():
        out.append(
            f"  {name:<12} {context.wanted[dataset].title:<33} {rows:>9,} rows in {counted(parts, 'part')}"
        )
    out += ["", "Requests against budgets, what was refused and what was asked again:"]
    sources = state.sources(context, SystemClock(context.ledger.boots.anchor))
    out += [f"  {line}" for line in summary.sources(sources, len(sources), verbose=True)]
    out += ["", "Verdicts on the curated cells:"]
    for name, counts in state.verdicts(context, SystemClock().now()).items():
        shown = ", ".join(f"{count:,} {verdict}" for verdict, count in sorted(counts.items()))
        out.append(f"  {context.wanted[name].title:<33} {shown}")
    return out


def _next(place: Path) -> list[str]:
    me, python = _called_as()
    return [
        f"{me} status --picture --node {place}",
        f"{me} audit --explain equities_bars_day IBM 2005-03-02 --node {place}",
        f"{me} audit --explain equities_bars_minute AAPL 2012-12-24 --node {place}",
        f"{me} audit --explain equities_bars_day FB 2012-10-29 --node {place}",
        f"{me} actions MSFT --factors --node {place}",
        f"{me} tasks --node {place}",
        f"(cd {place}/lake/exports/nightly/* && sha256sum --check --quiet SHA256SUMS)",
        f"{python} -c \"import fulltape; print(fulltape.open('{place}').scan('{_SCANNED}', symbols='MSFT', adjust='total').collect())\"",
    ]


def _called_as() -> tuple[str, str]:
    """How this program and its Python can be called again from here."""
    if shutil.which("fulltape") and Path(shutil.which("fulltape") or "").samefile(
        Path(sys.executable).parent / "fulltape"
    ):
        return "fulltape", "python"
    here = Path(os.path.relpath(Path(sys.executable).parent))
    return str(here / "fulltape"), str(here / "python")
