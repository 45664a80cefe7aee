"""`fulltape export`: the bundle."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fulltape import errors
from fulltape.terminal import options
from fulltape.terminal.options import JsonOption, NodeOption, QuietOption, counted
from fulltape.terminal.progress import Watch

if TYPE_CHECKING:
    from fulltape.export.run import ExportReport

PANEL = "Stages of a night"
PLACE = 5


FormatOption = Annotated[
    str,
    typer.Option(
        metavar="csv|parquet|zipline|lean",
        help="Rows in this format instead of a bundle (docs/formats.md).",
        show_default=False,
    ),
]
ToOption = Annotated[Path | None, typer.Option(help="The folder that --format writes.", show_default=False)]
DatasetsOption = Annotated[
    list[str] | None,
    typer.Option("--dataset", "-d", help="Datasets of --format; else all that fit.", show_default=False),
]
SymbolsOption = Annotated[
    list[str] | None,
    typer.Option("--symbol", "-s", help="Symbols of --format; else all.", show_default=False),
]
SourceOption = Annotated[
    str,
    typer.Option(
        "--source",
        help="A bundle, or an address of one, that --format reads instead of the node.",
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog="Example: fulltape export --format zipline --to csvdir -d equities_bars_day")(export)


def export(
    tar: Annotated[
        Path | None,
        typer.Option(help="Write the bundle into this file, too: FILE.tar.zst.", show_default=False),
    ] = None,
    format: FormatOption = "",  # noqa: A002 — the name of the option
    to: ToOption = None,
    dataset: DatasetsOption = None,
    symbol: SymbolsOption = None,
    start: Annotated[str, typer.Option("--from", help="First session of --format.", show_default=False)] = "",
    end: Annotated[str, typer.Option("--until", help="Last session of --format.", show_default=False)] = "",
    source: SourceOption = "",
    node: NodeOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write the bundle of the newest final session, unless an equal one is there; or rows in the format of other software."""
    given = {
        "--to": to,
        "--dataset": dataset,
        "--symbol": symbol,
        "--from": start,
        "--until": end,
        "--source": source,
    }
    _check_together(bool(format), [name for name, value in given.items() if value], tar)
    if format:
        wish = (format, to, dataset or [], symbol or [], start, end)
        _formatted(source or str(node or os.environ.get("FULLTAPE_NODE", ".")), wish, json=json, quiet=quiet)
        return

    from fulltape.bundle import archive
    from fulltape.clock import SystemClock
    from fulltape.export import run

    with options.opened(node) as context, Watch(quiet=quiet or json) as watch:
        report = run.run_once(context, SystemClock(), watch)
    if report and report.damaged:
        raise errors.CorruptPartError(
            f"{', '.join(report.damaged[:3])}: not what was written, and withdrawn; nothing is exported.",
            hint="fulltape nightly makes it again from the raw parts, and then exports.",
        )
    if tar is not None and report is not None:
        archive.write(Path(report.path), tar.expanduser())
    if json:
        options.emit_json(report)
        return
    if report is None:
        typer.echo("nothing that is final is curated yet; run fulltape nightly first.", err=True)
        raise typer.Exit(1)
    if not quiet:
        _say(report)


def _say(report: ExportReport) -> None:
    from fulltape.bundle.layout import GAPS_PAGE

    typer.echo(f"{report.path} ({'written' if report.written else 'unchanged'})")
    typer.echo(
        f"{counted(report.files, 'file')}, {counted(report.rows, 'row')}, {report.bytes / 1e6:.1f} MB; "
        f"{counted(report.held_out, 'row')} held out"
    )
    if not report.whole:
        typer.echo(f"not everything is there or good: {report.path}/{GAPS_PAGE} says what lacks, and why")
    typer.echo("survivorship: BIASED, since the universe is today's list, not a dated one (docs/symbols.md)")


def _check_together(formatted: bool, given: list[str], tar: Path | None) -> None:
    """Refuse options that do not go together."""
    if not formatted and given:
        raise errors.UsageError(f"{', '.join(given)} need --format.", hint="Without it a bundle is written.")
    if formatted and tar is not None:
        raise errors.UsageError("--tar writes a bundle; it does not go with --format.")


def _formatted(
    where: str,
    wish: tuple[str, Path | None, list[str], list[str], str, str],
    *,
    json: bool,
    quiet: bool,
) -> None:
    """Rows in the format of other software."""
    import fulltape
    from fulltape.formats import run
    from fulltape.formats.plan import FORMATS

    name, to, datasets, symbols, start, end = wish
    if name not in FORMATS:
        raise errors.UsageError(
            f"there is no format {name!r}.", hint=f"There are {', '.join(FORMATS)} (docs/formats.md)."
        )
    if to is None:
        raise errors.UsageError("--format needs a folder to write to.", hint="Add --to FOLDER.")
    asked = run.FormatRequest(
        format=name, datasets=tuple(datasets), symbols=_listed(symbols), start=start, end=end
    )
    with options.interruptible(), Watch(quiet=quiet or json) as watch:
        report = run.run(fulltape.open(where), to.expanduser(), asked, watch)
    if json:
        options.emit_json(report)
        return
    if not quiet:
        rows = ", ".join(f"{count:,} of {dataset}" for dataset, count in report.rows.items())
        typer.echo(
            f"{report.path}: {counted(report.files, 'file')}, {counted(report.symbols, 'symbol')}, rows: {rows}"
        )
    for symbol, reason in report.doubtful.items():
        typer.echo(f"{symbol}: {reason}", err=True)


def _listed(symbols: list[str]) -> tuple[str, ...]:
    """Symbols, also where several are in one text with commas between."""
    return tuple(symbol for text in symbols for symbol in text.split(",") if symbol)
