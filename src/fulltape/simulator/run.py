"""Starts the twins, from a market and a scenario."""

from __future__ import annotations

import contextlib
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
from fulltape.simulator.server import Served, Server, SocketServer
from fulltape.simulator.tiingo import Tiingo
from fulltape.simulator.twin import Twin
from fulltape.simulator.yahoo import Yahoo

TWINS: Mapping[str, type[Twin]] = {
    twin.vendor: twin for twin in (Alpaca, Massive, Binance, Coinbase, Kraken, Tiingo, Fred, Deriv, Yahoo)
}
OVER_SOCKETS = frozenset({"deriv"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """All twins' servers."""

    servers: Mapping[str, Server]

    def log(self) -> list[Served]:
        """Everything that was asked, twin by twin."""
        return [line for server in self.servers.values() for line in server.log]

    def release(self) -> None:
        """Let held answers go on."""
        for server in self.servers.values():
            server.release()


@contextlib.contextmanager
def running(
    market: Market, scenario: Scenario, *, vendors: Mapping[str, int] | None = None
) -> Iterator[Running]:
    """Serve while the block runs; `vendors` maps names to ports (0: any free one), all twins by default."""
    with contextlib.ExitStack() as stack:
        servers = {
            name: stack.enter_context(_server(name)(name, TWINS[name](market, scenario), port=port))
            for name, port in (vendors or dict.fromkeys(TWINS, 0)).items()
        }
        yield Running(servers=servers)


def _server(name: str) -> type[Server]:
    return SocketServer if name in OVER_SOCKETS else Server
