"""`fulltape init`: a new node."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fulltape import errors

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


def init(folder: Annotated[Path, typer.Argument(help="Where the node shall live.")]) -> None:
    """Create a node: a commented fulltape.toml and a universe.csv."""
    if (folder / "fulltape.toml").exists():
        raise errors.UsageError(f"{folder} is a node already.", hint="Edit its fulltape.toml.")
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
    typer.echo(f"  fulltape doctor --node {folder}")
    typer.echo(f"  fulltape run --node {folder}        # by itself, with its pages at http://127.0.0.1:8470")
    typer.echo(f"  fulltape nightly --node {folder}    # or everything once")
