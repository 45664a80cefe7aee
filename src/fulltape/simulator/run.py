"""Starts the simulated vendors, from a market and a scenario."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fulltape.simulator.alpaca import Alpaca
from fulltape.simulator.binance import Binance
from fulltape.simulator.coinbase import Coinbase
from fulltape.simulator.deriv import Deriv
from fulltape.simulator.fred import Fred
from fulltape.simulator.kraken import Kraken
from fulltape.simulator.market import Market
from fulltape.simulator.massive import Massive
from fulltape.simulator.scenario import Scenario
from fulltape.simulator.server import ServedCall, Server, SocketServer
from fulltape.simulator.stream import StreamServer
from fulltape.simulator.tape import Tape
from fulltape.simulator.tiingo import Tiingo
from fulltape.simulator.vendor import SimulatedVendor
from fulltape.simulator.wires import WIRES
from fulltape.simulator.yahoo import Yahoo

SIMULATED: Mapping[str, type[SimulatedVendor]] = {
    simulated_vendor.vendor: simulated_vendor
    for simulated_vendor in (Alpaca, Massive, Binance, Coinbase, Kraken, Tiingo, Fred, Deriv, Yahoo)
}
OVER_SOCKETS = frozenset({"deriv"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The servers of all simulated vendors."""

    servers: Mapping[str, Server]

    def log(self) -> list[ServedCall]:
        """Everything that was asked, vendor by vendor."""
        return [line for server in self.servers.values() for line in server.log]

    def release(self) -> None:
        """Let held answers go on."""
        for server in self.servers.values():
            server.release()


@contextlib.contextmanager
def running(
    market: Market, scenario: Scenario, *, vendors: Mapping[str, int] | None = None
) -> Iterator[Running]:
    """Serve while the block runs; `vendors` maps names to ports (0: any free one), all simulated vendors by default."""
    with contextlib.ExitStack() as stack:
        servers = {
            name: stack.enter_context(_server(name)(name, SIMULATED[name](market, scenario), port=port))
            for name, port in (vendors or dict.fromkeys(SIMULATED, 0)).items()
        }
        yield Running(servers=servers)


def _server(name: str) -> type[Server]:
    return SocketServer if name in OVER_SOCKETS else Server


_COINS = {"BTC/USD": 68_000.0, "ETH/USD": 2_500.0, "BTC/USDT": 68_010.0, "ETH/USDT": 2_501.0}
_STOCKS = {"AAPL": 230.0, "MSFT": 420.0, "IBM": 210.0}
_PAIRS = {"EURUSD": 1.085, "USDJPY": 152.0}
PRICES = {
    "crypto": _COINS,
    "alpaca": {**_STOCKS, **_COINS},
    "massive": {**_STOCKS, **_PAIRS, **_COINS},
    "deriv": {"R_100": 1_500.0, "R_50": 240.0, "1HZ100V": 900.0, **_PAIRS},
}
"""What happens live, by vendor; exchanges have crypto. Stocks trade day and night here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alive:
    """A vendor whose market happens now: its history, its live socket, and the tape that both play."""

    history: Server
    stream: StreamServer
    tape: Tape


@contextlib.contextmanager
def alive(
    scenario: Scenario, *, rate: float = 10.0, ports: Mapping[str, int] | None = None, compress: bool = False
) -> Iterator[dict[str, Alive]]:
    """Every vendor that streams, over an invented market that happens while the block runs; `ports` maps names to the
    first of two ports (0: any free ones), `rate` is in ticks a second and symbol."""
    with contextlib.ExitStack() as stack:
        found = {}
        for name, port in (ports or dict.fromkeys(WIRES, 0)).items():
            broker = name == "deriv"
            tape = Tape(
                dict(PRICES.get(name, PRICES["crypto"])),
                time.time_ns,
                rate=rate,
                plain=broker,
                grain=10**9 if broker else 1_000_000,
            )
            simulated_vendor = SIMULATED[name](tape.market(), scenario)
            wire = WIRES[name](frozenset(tape.prices))
            found[name] = Alive(
                history=stack.enter_context(_server(name)(name, simulated_vendor, port=port)),
                stream=stack.enter_context(
                    StreamServer(wire, tape, scenario, port=port + 1 if port else 0, compress=compress)
                ),
                tape=tape,
            )
        yield found
