"""`fulltape simulate`: the simulated vendors alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from fulltape.simulator.market import Market
    from fulltape.simulator.scenario import Scenario


PANEL = "Begin"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog="Example: fulltape simulate --port 8081 --scenario faults.toml")(simulate)


def simulate(
    scenario: Annotated[
        Path | None, typer.Option(help="A TOML file of faults (see docs/simulator.md).", show_default=False)
    ] = None,
    lake: Annotated[
        Path | None,
        typer.Option(
            help="Serve the curated bars of this node instead of the bundled market.", show_default=False
        ),
    ] = None,
    port: Annotated[
        int,
        typer.Option(
            min=0, max=65_000, help="Port of the first simulated vendor; the others follow. 0: any."
        ),
    ] = 0,
    live: Annotated[
        bool,
        typer.Option("--live", help="Serve a market that happens now: its history and its live streams."),
    ] = False,
    rate: Annotated[
        float, typer.Option(min=0, max=1_000_000, help="With --live: ticks a second and symbol.")
    ] = 10.0,
) -> None:
    """Serve a small market as every vendor would, on loopback, until Ctrl-C."""
    import contextlib
    import signal

    from fulltape import errors
    from fulltape.simulator import registry, run
    from fulltape.simulator import scenario as scenarios

    chosen = scenarios.load(scenario, list(registry.vendors())) if scenario else scenarios.Scenario()
    if live:
        _live(chosen, port, rate)
        return
    ports = {name: port + at if port else 0 for at, name in enumerate(registry.vendors())}
    market, what = _market(lake)
    try:
        serving = contextlib.ExitStack()
        simulated_vendors = serving.enter_context(run.running(market, chosen, vendors=ports))
    except OSError as error:
        raise errors.UsageError(f"no server can be started at port {port}: {error.strerror}.") from None
    with serving:
        for name, server in simulated_vendors.servers.items():
            typer.echo(f'[vendor.{name}]\nbase_url = "{server.url}"\n')
        typer.echo(what)
        typer.echo("Any key is accepted. Ctrl-C ends.")
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


def _live(scenario: Scenario, port: int, rate: float) -> None:
    """Serve what happens now, and tell the addresses."""
    import signal

    from fulltape import errors
    from fulltape.simulator import registry, run

    ports = {name: port + 2 * at if port else 0 for at, name in enumerate(registry.streams())}
    try:
        with run.alive(scenario, rate=rate, ports=ports) as venues:
            for name, venue in venues.items():
                typer.echo(f"[vendor.{name}]  # happening now: {', '.join(venue.tape.prices)}")
                typer.echo(f'base_url = "{venue.history.url}"\nstream_url = "{venue.stream.url}"\n')
            typer.echo("Any key is accepted. Ctrl-C ends.")
            signal.sigwait({signal.SIGINT, signal.SIGTERM})
    except OSError as error:
        raise errors.UsageError(f"no server can be started at port {port}: {error.strerror}.") from None


def _market(lake: Path | None) -> tuple[Market, str]:
    """What to serve, and how to call it."""
    from fulltape.simulator import invented
    from fulltape.simulator import market as markets

    if lake is not None:
        market = markets.of_lake(lake)
        return market, f"Curated bars of {len(market.symbols)} symbols from {lake}."
    return (
        markets.joined(markets.sample(), invented.market()),
        "Real day bars 2000 to 2013 and synthetic minute bars of late 2012: AAPL, FB, GOOG, IBM, MSFT; of 1 and 2 "
        "November 2012 also trades and quotes. Invented, "
        "28 October to 8 November 2024: crypto, forex, options, a synthetic index, macro series, actions; of 3 and 4 "
        "November also ticks and trades.",
    )
