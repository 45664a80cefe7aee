"""`fulltape simulate`: the vendors' twins alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(epilog="Example: fulltape simulate --port 8081")(simulate)


def simulate(
    scenario: Annotated[
        Path | None, typer.Option(help="A TOML file of faults (see docs/simulator.md).", show_default=False)
    ] = None,
    port: Annotated[
        int, typer.Option(min=0, max=65_000, help="Port of the first twin; the others follow. 0: any.")
    ] = 0,
) -> None:
    """Serve the bundled sample as Alpaca and Massive would, on loopback, until Ctrl-C."""
    import contextlib
    import signal

    from fulltape import errors
    from fulltape.simulator import market, run
    from fulltape.simulator import scenario as scenarios

    chosen = scenarios.load(scenario, list(run.TWINS)) if scenario else scenarios.Scenario()
    ports = {name: port + at if port else 0 for at, name in enumerate(run.TWINS)}
    try:
        serving = contextlib.ExitStack()
        twins = serving.enter_context(run.running(market.sample(), chosen, vendors=ports))
    except OSError as error:
        raise errors.UsageError(f"no server can be started at port {port}: {error.strerror}.") from None
    with serving:
        for name, server in twins.servers.items():
            typer.echo(f'[vendor.{name}] base_url = "{server.url}"')
        typer.echo(
            "Real day bars 2000 to 2013 and synthetic minute bars of late 2012: AAPL, FB, GOOG, IBM, MSFT."
        )
        typer.echo("Any key is accepted. Ctrl-C ends.")
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
