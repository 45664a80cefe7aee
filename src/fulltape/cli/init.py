"""`fulltape init`: a new node."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fulltape import errors

if TYPE_CHECKING:
    from fulltape.cli._given import Given

TEMPLATE = """\
# A fulltape node. Every key is described in docs/settings.md; `fulltape config check` validates this file.

[universe.mine]
file = "universe.csv"

[dataset.equities_bars_day]
universe = "mine"
sources = ["alpaca.sip"]
from = 2016-01-04

# Minute bars as well, from two vendors:
# [dataset.equities_bars_minute]
# universe = "mine"
# sources = ["alpaca.sip", "massive.sip"]
# from = 2024-01-02

[vendor.alpaca]
key = "${ALPACA_KEY}"
secret = "${ALPACA_SECRET}"

# [vendor.massive]
# key = "${MASSIVE_KEY}"
# plan = "basic"

# Live, by `fulltape run` (crypto needs no key):
# [universe.coins]
# symbols = ["BTC/USDT"]
# [dataset.crypto_aggtrades]
# universe = "coins"
# sources = ["binance.spot"]
# live = ["binance.spot"]
# from = 2026-11-01
# [vendor.binance]

# What `fulltape run` does when, who it calls, and its pages: docs/running.md
# [schedule.export]
# cron = "0 6 * * 1-5"
# zone = "Europe/Berlin"
# [notify]
# webhook = "${NOTIFY_WEBHOOK}"
# [web]
# port = 8470
"""
UNIVERSE = """\
symbol,listed_from,listed_to,instrument
AAPL,1980-12-12,,
SPY,1993-01-29,,
"""


PANEL = "Begin"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog="Example: fulltape init ~/market")(init)


VendorsOption = Annotated[
    list[str] | None,
    typer.Option(
        help="A vendor, the preferred one first, or a source such as ccxt.okx; may be repeated.",
        show_default=False,
    ),
]
DatasetsOption = Annotated[
    list[str] | None,
    typer.Option(help="A dataset, as fulltape vendors names them; may be repeated.", show_default=False),
]
SymbolsOption = Annotated[str, typer.Option(help="Symbols, with commas between.", show_default=False)]
DownloadOption = Annotated[
    Path | None,
    typer.Option(
        "--from", help="A folder of fulltape download: its node becomes this one.", show_default=False
    ),
]
FirstOption = Annotated[
    str,
    typer.Option("--since", help="The first day, YYYY-MM-DD; else that of last year.", show_default=False),
]
LiveOption = Annotated[
    bool | None,
    typer.Option(
        "--live/--no-live", help="Capture live streams too, where there are some.", show_default=False
    ),
]
LakeOption = Annotated[
    str | None,
    typer.Option(help="Where the data shall lie, if not in the node's folder.", show_default=False),
]
ExportOption = Annotated[
    str | None,
    typer.Option(
        help="When the night's bundle is written, as cron in --zone; else 02:30 UTC.", show_default=False
    ),
]
ZoneOption = Annotated[str, typer.Option(help="The time zone of --export.")]
WebhookOption = Annotated[
    str, typer.Option(help="Where a person is called, an address of HTTP.", show_default=False)
]
QuestionsOption = Annotated[
    bool | None,
    typer.Option(
        "--ask/--no-ask", help="Ask for what no option says; by default on a terminal.", show_default=False
    ),
]


def init(
    folder: Annotated[Path, typer.Argument(help="Where the node shall live.", show_default=False)],
    vendor: VendorsOption = None,
    dataset: DatasetsOption = None,
    symbols: SymbolsOption = "",
    download: DownloadOption = None,
    first: FirstOption = "",
    live: LiveOption = None,
    lake: LakeOption = None,
    export: ExportOption = None,
    zone: ZoneOption = "UTC",
    webhook: WebhookOption = "",
    questions: QuestionsOption = None,
) -> None:
    """Create a node: by a few questions, by options, or, with neither, as a commented fulltape.toml to be edited."""
    if (folder / "fulltape.toml").exists():
        raise errors.UsageError(f"{folder} is a node already.", hint="Edit its fulltape.toml.")
    if download is not None:
        if any([vendor, dataset, symbols, first, live is not None, lake, export, webhook]):
            raise errors.UsageError(
                "--from takes everything out of the download: no other option goes with it."
            )
        from fulltape.download import adoption

        adoption.become(download, folder)
        typer.echo(f"created {folder} out of {download}, which stays as it is")
        _commands(folder)
        return
    asking = questions if questions is not None else sys.stdin.isatty() and sys.stdout.isatty()
    by_options = any([vendor, dataset, symbols, first, live is not None, lake, export, webhook])
    if not asking and not by_options:
        _template(folder)
        return
    from fulltape.cli import _interview
    from fulltape.cli._given import Given
    from fulltape.setup import run

    given = Given(
        vendors=tuple(vendor or ()),
        datasets=tuple(dataset or ()),
        symbols=tuple(part for part in symbols.replace(",", " ").split() if part),
        first=_day(first) if first else None,
        live=live,
        lake=lake,
        export=export,
        zone=zone,
        webhook=webhook,
    )
    given = _interview.complete(folder, given) if asking else _complete(given)
    written = run.create(folder, given.answers())
    typer.echo(f"created {', '.join(path.relative_to(folder).as_posix() for path in written)} in {folder}")
    _next(folder, given)


def _complete(given: Given) -> Given:
    """What options have to say, and what need not be said."""
    lacking = [
        option
        for option, value in (
            ("--vendor", given.vendors),
            ("--dataset", given.datasets),
            ("--symbols", given.symbols),
        )
        if not value
    ]
    if lacking:
        raise errors.UsageError(
            f"a node needs {', '.join(lacking)}.",
            hint="fulltape init FOLDER --vendor binance --dataset crypto_bars_minute --symbols BTC/USDT",
        )
    from fulltape.setup import run

    return given if given.first else given.having(first=run.usual_first())


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise errors.UsageError(f"{text!r} is no day.", hint="A day is written YYYY-MM-DD.") from None


def _next(folder: Path, given: Given) -> None:
    """What to do now."""
    from fulltape import vendors

    unset = [
        f"{choice.vendor.upper()}_{secret.upper()}"
        for choice in given.answers().vendors
        for secret in vendors.load(choice.vendor).SPEC.secrets
        if not choice.secrets.get(secret)
    ]
    if unset:
        typer.echo(f"Set {' and '.join(unset)} in the environment, then:")
    _commands(folder)


def _commands(folder: Path) -> None:
    typer.echo(f"  fulltape doctor --node {folder}     # is everything fit?")
    typer.echo(f"  fulltape run --node {folder}        # by itself, with its pages at http://127.0.0.1:8470")
    typer.echo(f"  fulltape nightly --node {folder}    # or everything once")


def _template(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise errors.UsageError(f"{folder} cannot be a folder: {error.strerror}.") from None
    (folder / "fulltape.toml").write_text(TEMPLATE)
    universe = folder / "universe.csv"
    if not universe.exists():
        universe.write_text(UNIVERSE)
    typer.echo(f"created {folder / 'fulltape.toml'} and {universe}")
    typer.echo("Set ALPACA_KEY and ALPACA_SECRET, list your symbols in universe.csv, then:")
    typer.echo(f"  fulltape config check --node {folder}")
    _commands(folder)
